import type { ToolRun } from '../ToolRunner.ts';

/** What libblkid found on a device. */
export interface ProbedContent {
  readonly fileSystem: string | null;
  readonly label: string | null;
}

/** More devices than this are not probed one by one. */
const MOST_DEVICES = 256;

/**
 * Reads the superblocks of the given devices, which needs the right to open them: lsblk has them
 * from udev only, and tells nothing where no udev runs. The cache of blkid is neither read nor kept.
 */
export function blkidRun(paths: readonly string[]): ToolRun {
  return {
    tool: ['/usr/sbin/blkid', '/sbin/blkid', '/run/current-system/sw/bin/blkid'],
    arguments: ['-c', '/dev/null', '-o', 'export', ...paths.slice(0, MOST_DEVICES)],
    timeout: 2000,
  };
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
