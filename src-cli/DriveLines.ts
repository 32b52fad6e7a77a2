import type { Drive, Partition } from '../src-core/Drive.ts';
import type { DriveVerdict, ReasonGiven } from '../src-core/DriveVerdict.ts';
import { plainText } from '../src-core/PlainText.ts';
import type { Words } from '../src-words/Words.ts';
import type { Colour } from './Terminal.ts';

export interface DriveLine {
  readonly text: string;
  readonly colour: Colour | null;
}

/** Bytes; what cards have, and what images are made for. */
export const USUAL_SECTOR = 512;

const colours = { allowed: 'green', warned: 'yellow', refused: 'red' } as const;

/** A drive as a person tells it from others: name and facts, what is on it, and what speaks against it. */
export function driveLines(drive: Drive, verdict: DriveVerdict, words: Words): DriveLine[] {
  const plain = (text: string): DriveLine => ({ text, colour: null });
  const { path, label, name } = drive;
  return [
    plain(label === name ? plainText(path) : words.say('drive.heading', { path, label })),
    plain(`  ${factsOf(drive, words)}`),
    ...sectorLines(drive, words).map((line) => plain(`  ${line}`)),
    ...drive.partitions.map((partition) => plain(`  ${partitionLine(partition, words)}`)),
    { text: `  ${verdictLine(verdict, words)}`, colour: colours[verdict.verdict] },
    ...(verdict.notes.length === 0 ? [] : [plain(`  ${reasonsOf(verdict.notes, words)}`)]),
  ];
}

function factsOf({ size, hasMedium, bus, serial }: Drive, words: Words): string {
  const facts = {
    size: hasMedium ? words.format.bytes(size) : words.say('drive.no-medium'),
    bus: words.say(`bus.${bus}`),
  };
  return serial === null
    ? words.say('drive.facts', facts)
    : words.say('drive.facts-serial', { ...facts, serial });
}

/** Images are made for sectors of 512 bytes: the numbers in their tables mean other places here. */
function sectorLines({ hasMedium, logicalBlockSize }: Drive, words: Words): string[] {
  const isUsual = logicalBlockSize === USUAL_SECTOR;
  return isUsual || !hasMedium ? [] : [words.say('drive.sectors', { bytes: logicalBlockSize })];
}

function partitionLine(partition: Partition, words: Words): string {
  const { name, label, fileSystem, size, used, mounts } = partition;
  const places = words.format.list(mounts.map(({ path }) => path));
  const details = [
    label ?? words.say('drive.unlabelled'),
    fileSystem ?? words.say('inspect.no-file-system'),
    used === null ? words.format.bytes(size) : words.say('drive.used', { used, size }),
    ...(mounts.length === 0 ? [] : [words.say('drive.mounted', { places })]),
  ];
  return words.say('drive.partition', { name, details: details.join(', ') });
}

function verdictLine({ verdict, refusals, warnings }: DriveVerdict, words: Words): string {
  const said = words.say(`verdict.${verdict}`);
  const reasons = verdict === 'refused' ? refusals : warnings;
  return reasons.length === 0 ? said : `${said}: ${reasonsOf(reasons, words)}`;
}

function reasonsOf(reasons: readonly ReasonGiven[], words: Words): string {
  return words.reasons(reasons).join('; ');
}
