import type { ToolOutcome, ToolRun } from '../ToolRunner.ts';

/** What libblkid found on a device. */
export interface ProbedContent {
  readonly fileSystem: string | null;
  readonly label: string | null;
}

/** Exit code of blkid (its manual, "Exit status") where no device could be identified. */
const NOTHING_FOUND = 2;

/**
 * Reads the superblocks of the given devices, which needs the right to open them: lsblk has them
 * from udev only, and tells nothing where no udev runs. The cache of blkid is neither read nor kept.
 * @param paths a drive and its partitions: of all that are asked at once, one that is dead takes
 *   the answers of the others with it
 */
export function blkidRun(paths: readonly string[]): ToolRun {
  return {
    tool: ['/usr/sbin/blkid', '/sbin/blkid', '/run/current-system/sw/bin/blkid'],
    arguments: ['-c', '/dev/null', '-o', 'export', ...paths],
    // A disk that sleeps spins up first, and one that is not waited for must be warned of.
    timeout: 5000,
  };
}

/**
 * What blkid found, by device path; null where it did not tell, so that anything may be there. A
 * blkid that is not installed, or may not open the devices, finds nothing.
 */
export function contentTold(outcome: ToolOutcome): Map<string, ProbedContent> | null {
  if (outcome.kind === 'missing') return new Map();
  if (outcome.kind === 'unanswered') return null;
  if (outcome.exitCode === 0) return parseBlkid(outcome.printed);
  return outcome.exitCode === NOTHING_FOUND ? new Map() : null;
}

/**
 * Reads what `blkid -o export` printed (blkid(8)): by device path. Lines of another form are left
 * out; what is not ASCII stays in the notation of cat -v.
 */
export function parseBlkid(text: string): Map<string, ProbedContent> {
  const found = new Map<string, ProbedContent>();
  for (const block of text.split(/\n\s*\n/)) {
    const values = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
      // Blanks and quotes are escaped by a backslash.
      if (name !== undefined) values.set(name, (value ?? '').replace(/\\(.)/g, '$1'));
    }
    const device = values.get('DEVNAME');
    if (device === undefined) continue;
    const fileSystem = values.get('TYPE') ?? null;
    found.set(device, { fileSystem, label: values.get('LABEL') ?? null });
  }
  return found;
}
