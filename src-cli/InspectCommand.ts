import { randomUUID } from 'node:crypto';
import type { CardContent } from '../src-contract/WriterWire.ts';
import { identityOf } from '../src-core/Drive.ts';
import { exitCodes } from '../src-core/ExitCode.ts';
import type { ExitCode } from '../src-core/ExitCode.ts';
import { fail } from '../src-core/Failure.ts';
import { findDrive, judgedDrives } from '../src-services/DriveScan.ts';
import { existingPracticeCard, practicePath } from '../src-services/PracticeCard.ts';
import type { Words } from '../src-words/Words.ts';
import { reportJson } from './CliJsonReport.ts';
import type { Program } from './Program.ts';

export interface InspectOptions {
  readonly card: string;
  readonly json: boolean;
}

/**
 * Tells what is on a card, without changing it.
 * @throws FailureError as the writer, drive-not-found and its kin
 */
export async function inspectCard(options: InspectOptions, program: Program): Promise<ExitCode> {
  const { terminal, words, interruption } = program;
  const seen = await interruption.unless(lookAt(options.card, program));
  if (seen === null) return exitCodes.cancelled;
  const { drive, content } = seen;
  if (options.json) reportJson(terminal, { type: 'content', drive, content });
  else for (const line of contentLines(drive, content, words)) terminal.line(line);
  return exitCodes.verified;
}

async function lookAt(
  card: string,
  { writer }: Program,
): Promise<{ drive: string; content: CardContent }> {
  const jobId = randomUUID();
  const practice = practicePath(card);
  if (practice !== null) {
    const { path } = existingPracticeCard(practice);
    return { drive: path, content: await writer.inspectPracticeCard(jobId, path) };
  }
  const request = { image: [], imageSize: null, allowVirtual: true };
  const { drive } = findDrive(await judgedDrives(request), card);
  if (!drive.hasMedium) {
    throw fail('drive-refused', { drive: drive.path, reasons: 'no-medium' });
  }
  const target = { cardId: 'card-1', path: drive.path, identity: identityOf(drive), accepted: [] };
  return { drive: drive.path, content: await writer.inspectDrive(jobId, target) };
}

function contentLines(drive: string, content: CardContent, words: Words): string[] {
  const { partitionTable, partitions, unfinished } = content;
  const mark =
    unfinished === null
      ? []
      : [
          words.say('inspect.unfinished', { started: unfinished.started }),
          ...(unfinished.imageSha256 === null
            ? []
            : [words.say('inspect.unfinished-image', { sha256: unfinished.imageSha256 })]),
        ];
  const table = words.say(`inspect.table.${partitionTable}`);
  const parts = partitions.map(({ index, type, start, size, fileSystem, label }) =>
    words.say('inspect.partition', {
      ...{ index, type, start, size },
      fileSystem: fileSystem ?? words.say('inspect.no-file-system'),
      label: label ?? words.say('drive.unlabelled'),
    }),
  );
  return [
    words.say('inspect.heading', { drive }),
    ...[...mark, table, ...parts].map((line) => `  ${line}`),
  ];
}
