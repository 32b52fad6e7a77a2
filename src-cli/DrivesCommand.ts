import { exitCodes } from '../src-core/ExitCode.ts';
import type { ExitCode } from '../src-core/ExitCode.ts';
import type { ReasonGiven } from '../src-core/DriveVerdict.ts';
import { judgedDrives } from '../src-services/DriveScan.ts';
import type { JudgedDrive } from '../src-services/DriveScan.ts';
import type { Words } from '../src-words/Words.ts';
import { reportJson } from './CliJsonReport.ts';
import { driveLines } from './DriveLines.ts';
import type { Program } from './Program.ts';

export interface DrivesOptions {
  readonly all: boolean;
  readonly json: boolean;
}

/**
 * Lists the drives. Without `all` those are left out that no card will ever be in: built-in,
 * virtual, and empty ones.
 * @throws FailureError drive-list-unavailable
 */
export async function listDrives(options: DrivesOptions, program: Program): Promise<ExitCode> {
  const { terminal, words, interruption } = program;
  const request = { image: [], imageSize: null, allowVirtual: false };
  const drives = await interruption.unless(judgedDrives(request));
  if (drives === null) return exitCodes.cancelled;
  const shown = drives.filter((drive) => options.all || mayHoldCard(drive));
  if (options.json) {
    for (const drive of shown) reportDrive(drive, program);
    return exitCodes.verified;
  }
  for (const { drive, verdict } of shown) {
    for (const { text, colour } of driveLines(drive, verdict, words)) {
      terminal.line(colour === null ? text : terminal.paint(colour, text));
    }
    terminal.line('');
  }
  if (shown.length === 0) terminal.line(words.say('drive.none'));
  const hidden = drives.length - shown.length;
  if (hidden > 0) terminal.line(words.say('drive.hidden', { count: hidden }));
  return exitCodes.verified;
}

function mayHoldCard({ verdict }: JudgedDrive): boolean {
  const never = ['internal-bus', 'unknown-bus', 'virtual', 'no-medium'];
  return !verdict.refusals.some(({ code }) => never.includes(code));
}

function reportDrive({ drive, verdict }: JudgedDrive, { terminal, words }: Program): void {
  const { path, label, size, bus, serial, removable, readOnly, hasMedium } = drive;
  const { virtual, unfinished } = drive;
  const partitions = drive.partitions.map((partition) => ({
    ...{ name: partition.name, label: partition.label, fileSystem: partition.fileSystem },
    ...{ size: partition.size, used: partition.used },
    mounts: partition.mounts.map((mount) => mount.path),
  }));
  reportJson(terminal, {
    ...{ type: 'drive', path, label, size, bus, serial, removable, readOnly, hasMedium },
    ...{ virtual, unfinished, partitions, verdict: verdict.verdict },
    refusals: reasonReports(verdict.refusals, words),
    warnings: reasonReports(verdict.warnings, words),
    notes: reasonReports(verdict.notes, words),
  });
}

function reasonReports(reasons: readonly ReasonGiven[], words: Words) {
  return reasons.map((given) => ({ ...given, words: words.reasons([given]).join('') }));
}
