import { ThrottledDevices } from '../test/support/ThrottledDevices.ts';
import {
  benchDevice,
  medianRatio,
  takeTurns,
  warm,
  type Bench,
  type BenchDevice,
  type DeviceKind,
  type Row,
} from './Bench.ts';
import { productCommand } from './Contestant.ts';
import type { ImageFiles } from './ReferenceImage.ts';
import type { RowResult } from './RowResult.ts';
import { THROTTLE, proveThrottle } from './Throttle.ts';

const CARDS = 4;

/** Several devices that are given back together. */
export async function benchDevices(
  kind: DeviceKind,
  image: ImageFiles,
  count: number,
): Promise<{ paths: string[] } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const paths: string[] = [];
  for (let made = 0; made < count; made++) {
    const device: BenchDevice = stack.use(await benchDevice(kind, image));
    paths.push(device.path);
  }
  const kept = stack.move();
  return { paths, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

interface CardsComparison {
  readonly row: string;
  readonly image: ImageFiles;
  readonly target: number;
  readonly notes: readonly string[];
  /** Wraps the command, for example into a throttled group. */
  readonly wrap: (command: readonly string[]) => readonly string[];
}

async function compareCards(
  bench: Bench,
  kind: DeviceKind,
  paths: readonly string[],
  { row, image, target, notes, wrap }: CardsComparison,
): Promise<RowResult> {
  await warm(image.xz);
  const turn = (name: string, devices: readonly string[]) => ({
    name,
    reason: null,
    devices,
    command: () => wrap(productCommand(image.xz, devices)),
  });
  const turns = [turn('1 card', paths.slice(0, 1)), turn(`${String(CARDS)} cards`, paths)];
  const trials = await takeTurns(bench, turns);
  const [one = [], four = []] = turns.map(({ name }) => trials.get(name) ?? []);
  return {
    row,
    device: kind,
    findings: [
      {
        what: `${row}: ${String(CARDS)} cards at once, against 1 (xz)`,
        value: medianRatio(four, one),
        target,
        sense: 'at most',
        unit: 'ratio',
      },
    ],
    measures: turns.map(({ name }) => ({
      contestant: name,
      isPeer: false,
      reason: null,
      trials: trials.get(name) ?? [],
    })),
    notes,
  };
}

/** Four cards as fast as memory, against one. */
export const unthrottledCards: Row = {
  name: 'cards',
  deviceKinds: ['zram'],
  async measure(bench, kind) {
    const image = await bench.image('reference');
    await using devices = await benchDevices(kind, image, CARDS);
    return await compareCards(bench, kind, devices.paths, {
      row: 'unthrottled',
      image,
      target: 1.6,
      notes: [],
      wrap: (command) => command,
    });
  },
};

/** Four cards of 20 MB/s each, against one. */
export const throttledCards: Row = {
  name: 'cards-throttled',
  async measure(bench, kind) {
    const image = await bench.image('quarter');
    await using devices = await benchDevices(kind, image, CARDS);
    await using throttle = await ThrottledDevices.create(devices.paths, THROTTLE);
    const proof = await proveThrottle(throttle, devices.paths[0] ?? '');
    return await compareCards(bench, kind, devices.paths, {
      row: 'throttled to 20 MB/s',
      image,
      target: 1.1,
      notes: [proof.note],
      wrap: (command) => throttle.command(command),
    });
  },
};
