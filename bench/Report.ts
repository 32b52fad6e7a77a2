import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { format } from 'prettier';
import { median, reached } from './Bench.ts';
import { timed, type Trial } from './Trial.ts';
import type { Finding, Measure, RowResult } from './RowResult.ts';

const MIB = 1 << 20;

/** What the machine was, without its name. */
export function machine(): string {
  const processor = cpus()[0]?.model ?? 'unknown processor';
  const memory = Math.round(totalmem() / (1 << 30));
  return `${String(cpus().length)} x ${processor}, ${String(memory)} GiB, Linux ${release()}, Node ${process.version}`;
}

function figure({ value, unit }: Pick<Finding, 'value' | 'unit'>): string {
  if (value === null) return 'not measured';
  if (unit === 'share') return `${(value * 100).toFixed(1)} %`;
  return unit === 'MiB' ? `${value.toFixed(0)} MiB` : value.toFixed(3);
}

function verdict(finding: Finding): string {
  const within = reached(finding);
  if (within === null) return '-';
  return within ? 'reached' : '**missed**';
}

function findingLine(device: string, finding: Finding): string {
  const sign = finding.sense === 'at most' ? '<=' : '>=';
  const target = `${sign} ${figure({ value: finding.target, unit: finding.unit })}`;
  return `| ${[finding.what, device, figure(finding), target, verdict(finding)].join(' | ')} |`;
}

function measureLine({ contestant, reason, trials }: Measure): string {
  const failed = trials.find(({ failure }) => failure !== null);
  const seconds = timed(trials).map((trial) => trial.seconds);
  const columns =
    trials.length === 0
      ? [contestant, '-', '-', '-', '-', '-', reason ?? 'did not run']
      : [
          contestant,
          seconds.length === 0 ? '-' : median(seconds).toFixed(2),
          seconds.length === 0
            ? '-'
            : `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}`,
          peak(trials, 'rss'),
          peak(trials, 'pss'),
          (median(trials.map(({ bytesWritten }) => bytesWritten)) / MIB).toFixed(0),
          failed === undefined
            ? `${String(trials.length)} runs`
            : `failed: ${failed.failure ?? ''}`,
        ];
  return `| ${columns.map((text) => text.replaceAll('|', '/')).join(' | ')} |`;
}

function peak(trials: readonly Trial[], kind: 'rss' | 'pss'): string {
  return (Math.max(...trials.map(({ memory }) => memory?.[kind] ?? 0)) / MIB).toFixed(0);
}

/** The whole run as Markdown. */
export function reportText(results: readonly RowResult[], repetitions: number): string {
  const lines = [
    '# Measurements',
    '',
    `${machine()}. Every figure is the median of ${String(repetitions)} rounds; all contestants take`,
    'turns on the same device in the same run, with the image in the page cache. Memory is that of a',
    'round of its own before them, which is not timed.',
    '',
    '| what | device | figure | target | |',
    '|---|---|---|---|---|',
    ...results.flatMap(({ device, findings }) =>
      findings.map((finding) => findingLine(device, finding)),
    ),
  ];
  for (const { row, device, measures, notes } of results) {
    lines.push(
      '',
      `## ${row} on ${device}`,
      '',
      '| who | seconds | from, to | peak RSS, MiB | peak PSS, MiB | written, MiB | |',
      '|---|---|---|---|---|---|---|',
      ...measures.map(measureLine),
      ...notes.flatMap((note) => ['', note]),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Saves the run in `folder` as Markdown and JSON; returns the path of the former. */
export async function saveReport(
  folder: string,
  results: readonly RowResult[],
  repetitions: number,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const name = new Date().toISOString().replaceAll(':', '-').slice(0, 19);
  const path = join(folder, `${name}.md`);
  await writeFile(path, await format(reportText(results, repetitions), { parser: 'markdown' }));
  // The events of each run are long and of no use later.
  const plain = results.map(({ measures, ...rest }) => ({
    ...rest,
    measures: measures.map(({ trials, ...measure }) => ({
      ...measure,
      trials: trials.map((trial) => ({ ...trial, lines: trial.lines.length })),
    })),
  }));
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(plain, null, 2)}\n`);
  return path;
}
