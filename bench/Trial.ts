import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { MemoryAccounting, type PeakMemory } from '../test/support/MemoryAccounting.ts';

const SECTOR = 512;

/** One measured run of one command. */
export interface Trial {
  /** Wall clock. */
  readonly seconds: number;
  /** Null in a run that was timed: reading the page tables of a process makes it slower. */
  readonly memory: PeakMemory | null;
  /** Bytes that the kernel wrote to all the devices (field 7 of /sys/block/X/stat). */
  readonly bytesWritten: number;
  /** Null when it succeeded, else what it said last. */
  readonly failure: string | null;
  /** Lines of its standard output, with the seconds since its start. */
  readonly lines: readonly { readonly at: number; readonly text: string }[];
}

/** Bytes written to a block device since it was made (Documentation/block/stat.rst). */
async function writtenTo(device: string): Promise<number> {
  const stat = await readFile(`/sys/block/${basename(device)}/stat`, 'utf8');
  return Number(stat.trim().split(/\s+/)[6]) * SECTOR;
}

async function writtenToAll(devices: readonly string[]): Promise<number> {
  const counts = await Promise.all(devices.map(writtenTo));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The trials whose times may be compared. */
export function timed(trials: readonly Trial[]): Trial[] {
  return trials.filter(({ memory }) => memory === null);
}

/**
 * Runs a command to its end and measures it.
 * @param devices the block devices it writes to
 * @param what its time is worth nothing where its memory is watched
 */
export async function runTrial(
  command: readonly string[],
  devices: readonly string[],
  what: 'time' | 'memory',
): Promise<Trial> {
  const [program = '', ...words] = command;
  const before = await writtenToAll(devices);
  const started = performance.now();
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid === undefined) {
    const [cause] = (await once(child, 'error')) as [Error];
    throw cause;
  }
  using memory = what === 'memory' ? new MemoryAccounting(child.pid) : null;
  const lines: { at: number; text: string }[] = [];
  createInterface(child.stdout).on('line', (text) => {
    lines.push({ at: (performance.now() - started) / 1000, text });
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  const closed = once(child, 'close');
  const [status] = (await once(child, 'exit')) as [number | null];
  const seconds = (performance.now() - started) / 1000;
  await closed;
  return {
    seconds,
    memory: memory?.peak ?? null,
    bytesWritten: (await writtenToAll(devices)) - before,
    failure: status === 0 ? null : lastWords(complaint, lines, status),
    lines,
  };
}

function lastWords(
  complaint: string,
  lines: readonly { readonly text: string }[],
  status: number | null,
): string {
  const said = complaint.trim().split('\n').at(-1) ?? '';
  const words = said === '' ? (lines.at(-1)?.text ?? '') : said;
  return `exit ${String(status)}: ${words.slice(0, 200)}`;
}
