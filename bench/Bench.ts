import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LoopDevice } from '../test/support/LoopDevice.ts';
import { ZramDevice } from '../test/support/ZramDevice.ts';
import type { Contestant } from './Contestant.ts';
import type { ImageFiles, ImageName } from './ReferenceImage.ts';
import type { Finding, RowResult } from './RowResult.ts';
import { runTrial, timed, type Trial } from './Trial.ts';

const run = promisify(execFile);

/** Bytes by which a card is larger than its image. */
const SPARE = 64 << 20;

export const DEVICE_KINDS = ['zram', 'loop'] as const;
export type DeviceKind = (typeof DEVICE_KINDS)[number];

/** What every row of the table is measured with. */
export interface Bench {
  readonly repetitions: number;
  readonly deviceKinds: readonly DeviceKind[];
  /** Measure nobody but this product. */
  readonly alone: boolean;
  readonly peers: readonly Contestant[];
  image(name: ImageName): Promise<ImageFiles>;
  tell(line: string): void;
}

/** A row of the table: what is measured for it, on one kind of device. */
export interface Row {
  readonly name: string;
  /** Where it can be measured; by default on every kind. */
  readonly deviceKinds?: readonly DeviceKind[];
  measure(bench: Bench, kind: DeviceKind): Promise<RowResult>;
}

/** A device on which an image lies already, so that no run pays for the first touch of it. */
export interface BenchDevice extends AsyncDisposable {
  readonly path: string;
  readonly name: string;
}

export async function benchDevice(kind: DeviceKind, image: ImageFiles): Promise<BenchDevice> {
  const size = image.size + SPARE;
  const device = await (kind === 'zram' ? ZramDevice.create(size) : LoopDevice.create(size));
  await run('/usr/bin/dd', [
    ...[`if=${image.raw}`, `of=${device.path}`, 'bs=4M', 'oflag=direct', 'status=none'],
  ]);
  return device;
}

/** Brings a file into the page cache, so that every contestant finds it there. */
export async function warm(path: string): Promise<void> {
  await run('/usr/bin/dd', [`if=${path}`, 'of=/dev/null', 'bs=4M', 'status=none']);
}

export interface Turn {
  readonly name: string;
  readonly reason: string | null;
  readonly devices: readonly string[];
  command(): readonly string[];
}

/**
 * Runs all in turns, so that a machine that becomes slower does so for everyone: a first round in
 * which memory is watched, which warms all of them up as well, then the rounds that are timed.
 */
export async function takeTurns(
  bench: Bench,
  turns: readonly Turn[],
): Promise<ReadonlyMap<string, readonly Trial[]>> {
  const trials = new Map<string, Trial[]>(turns.map(({ name }) => [name, []]));
  for (let round = 0; round <= bench.repetitions; round++) {
    const what = round === 0 ? 'memory' : 'time';
    for (const turn of turns) {
      const mine = trials.get(turn.name) ?? [];
      // What failed once is slow to fail again, and proves nothing more.
      if (turn.reason !== null || mine.some(({ failure }) => failure !== null)) continue;
      const trial = await runTrial(turn.command(), turn.devices, what);
      mine.push(trial);
      bench.tell(
        `  ${turn.name}: ${trial.seconds.toFixed(2)} s${what === 'memory' ? ' (memory)' : ''}` +
          (trial.failure === null ? '' : ` (${trial.failure})`),
      );
    }
  }
  return trials;
}

/** The median over all rounds of the ratio between two contestants' times; null where one failed. */
export function medianRatio(ours: readonly Trial[], theirs: readonly Trial[]): number | null {
  if (![...ours, ...theirs].every(({ failure }) => failure === null)) return null;
  const others = timed(theirs);
  const ratios = timed(ours).flatMap((trial, round) => {
    const other = others[round];
    return other === undefined ? [] : [trial.seconds / other.seconds];
  });
  return ratios.length === 0 ? null : median(ratios);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
  return (upper + lower) / 2;
}

/** Whether the figure is within its target; null where there is no figure. */
export function reached({ value, target, sense }: Finding): boolean | null {
  if (value === null) return null;
  return sense === 'at most' ? value <= target : value >= target;
}
