import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FailureCode } from '../../src-core/Failure.ts';
import { BoxwrightRun, flashWords } from '../support/BoxwrightRun.ts';
import type { DiskFault } from '../support/DiskFault.ts';
import { FaultyDisk } from '../support/FaultyDisk.ts';
import { LoopDevice } from '../support/LoopDevice.ts';
import { makeOwnFolder, removeOwnFolder } from '../support/OwnFolder.ts';
import { makePiImage, type PiImage } from '../support/PiImage.ts';

const MIB = 1 << 20;
const SIZE = 32 * MIB;
const CARD = 40 * MIB;

let folder = '';
let image: PiImage;

beforeAll(async () => {
  folder = await makeOwnFolder();
  image = await makePiImage(folder, 'pi', { table: 'dos', size: SIZE, seed: 50 });
});

afterAll(async () => {
  await removeOwnFolder(folder);
});

const WRITTEN = ['preparing', 'writing'];
const READ_BACK = [...WRITTEN, 'verifying'];

interface Row {
  readonly what: string;
  readonly fault: DiskFault;
  /** The phases that are told, and how it ends. */
  readonly phases: readonly string[];
  readonly code: FailureCode;
  /** Facts of the failure that are certain. */
  readonly facts?: Readonly<Record<string, string | number>>;
  /** Milliseconds from the fault's first effect to the report. */
  readonly within: number;
}

const ROWS: readonly Row[] = [
  {
    what: 'EIO while writing',
    fault: { kind: 'io-error', operation: 'write', offset: 12 * MIB, length: 4096 },
    phases: WRITTEN,
    code: 'write-failed',
    facts: { offset: 12 * MIB, cause: 'EIO' },
    within: 5000,
  },
  {
    what: 'EIO while reading back',
    fault: { kind: 'io-error', operation: 'read', offset: 25 * MIB, length: 4096 },
    phases: READ_BACK,
    code: 'read-failed',
    facts: { offset: 25 * MIB, cause: 'EIO' },
    within: 5000,
  },
  {
    what: 'pulled while writing',
    fault: { kind: 'dead', operation: 'write', afterBytes: 17 * MIB },
    phases: WRITTEN,
    code: 'write-failed',
    facts: { cause: 'EIO' },
    within: 5000,
  },
  {
    what: 'pulled while reading back',
    fault: { kind: 'dead', operation: 'read', afterBytes: 9 * MIB },
    phases: READ_BACK,
    code: 'read-failed',
    facts: { cause: 'EIO' },
    within: 5000,
  },
  {
    what: 'stalled while writing',
    fault: { kind: 'stall', operation: 'write', afterBytes: 9 * MIB },
    phases: WRITTEN,
    code: 'card-stalled',
    facts: { seconds: 30 },
    within: 35_000,
  },
  {
    what: 'out of space',
    fault: { kind: 'out-of-space', afterBytes: 20 * MIB },
    phases: WRITTEN,
    code: 'disk-full',
    within: 5000,
  },
  {
    what: 'flipped bits',
    fault: { kind: 'flipped-bits', offset: 18 * MIB + 12_345, mask: 0x10 },
    phases: READ_BACK,
    code: 'read-back-differs',
    facts: { offset: 18 * MIB },
    within: 35_000,
  },
  {
    what: 'counterfeit capacity',
    fault: { kind: 'counterfeit', capacity: 16 * MIB },
    phases: READ_BACK,
    code: 'card-counterfeit',
    within: 35_000,
  },
];

/** What becomes of a device with the fault in it when an image is flashed to it. */
async function flashWith(disk: FaultyDisk, others: readonly LoopDevice[]): Promise<BoxwrightRun> {
  const flash = new BoxwrightRun(flashWords(image.path, [disk, ...others]));
  await flash.ended;
  return flash;
}

/** What a person reads of a failed card beside the events. */
function toldOf({ path }: FaultyDisk): unknown {
  return expect.stringMatching(new RegExp(`^${path}: FAILED\\. .+\\n.*Next: `, 's'));
}

test.concurrent.each(ROWS)('$what: $code', async ({ fault, phases, code, facts, within }) => {
  await using disk = await FaultyDisk.create(CARD);
  await disk.inject(fault);
  await using flash = await flashWith(disk, []);
  expect(flash.story(disk.path)).toEqual([...phases, `failed, unfinished, ${code}`]);
  const [card] = flash.all('card');
  if (card === undefined) throw new Error('no card');
  expect(card.problem?.failure.facts).toMatchObject(facts ?? {});
  expect(Object.values(card.problem?.failure.facts ?? {})).toContain(disk.path);
  expect(flash.timeOf(card) - (await disk.struck(fault.kind))).toBeLessThan(within);
  expect(flash.all('result')).toMatchObject([{ exitCode: 1 }]);
  expect(await flash.ended).toMatchObject({ exitCode: 1, complaint: toldOf(disk) });
});

test.concurrent('a slow card is only slow', async () => {
  await using disk = await FaultyDisk.create(CARD);
  await disk.inject({ kind: 'slow', operation: 'write', bytesPerSecond: 12 * MIB });
  await using flash = await flashWith(disk, []);
  expect(flash.story(disk.path)).toEqual([
    ...[...READ_BACK, 'finishing'],
    'done, verified, no failure',
  ]);
  expect(await flash.ended).toMatchObject({ exitCode: 0, complaint: '' });
});

test.concurrent(
  'a bit that flips in the first MiB fails the card, and it does not keep a partition table',
  async () => {
    await using disk = await FaultyDisk.create(CARD);
    await disk.inject({ kind: 'flipped-bits', offset: 3000, mask: 1 });
    await using flash = await flashWith(disk, []);
    expect(flash.story(disk.path).at(-1)).toBe('failed, unfinished, read-back-differs');
    const medium = await readFile(disk.backing);
    expect(medium.subarray(0, 512).every((byte) => byte === 0)).toBe(true);
  },
);

test.concurrent.each<{ what: string; fault: DiskFault }>([
  { what: 'is pulled', fault: { kind: 'dead', operation: 'write', afterBytes: 6 * MIB } },
  { what: 'stalls', fault: { kind: 'stall', operation: 'write', afterBytes: 6 * MIB } },
  { what: 'reads wrongly', fault: { kind: 'flipped-bits', offset: 15 * MIB, mask: 2 } },
])('four cards, one of which $what: the others finish', async ({ fault }) => {
  await using disk = await FaultyDisk.create(CARD);
  await disk.inject(fault);
  await using first = await LoopDevice.create(CARD);
  await using second = await LoopDevice.create(CARD);
  await using third = await LoopDevice.create(CARD);
  const others = [first, second, third];
  await using flash = await flashWith(disk, others);
  expect(await flash.ended).toMatchObject({ exitCode: 1, complaint: toldOf(disk) });
  expect(flash.story(disk.path).at(-1)).toMatch(/^failed, unfinished, /);
  const expected = await readFile(image.path);
  for (const { path, backing } of others) {
    expect(flash.story(path).at(-1)).toBe('done, verified, no failure');
    expect((await readFile(backing)).subarray(0, SIZE).equals(expected)).toBe(true);
  }
});

test.concurrent(
  'an engine that dies while it prepares a card: nobody calls that card untouched',
  async () => {
    await using disk = await FaultyDisk.create(CARD);
    await disk.inject({ kind: 'stall', operation: 'write', afterBytes: 0 });
    await using flash = new BoxwrightRun(flashWords(image.path, [disk]));
    await disk.struck('stall');
    flash.killEngine();
    await disk.heal();
    expect(await flash.ended).toMatchObject({ exitCode: 1 });
    expect(flash.story(disk.path).at(-1)).toBe('failed, unfinished, writer-ended');
  },
);
