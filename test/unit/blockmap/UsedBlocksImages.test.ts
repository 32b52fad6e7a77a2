import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ByteRange } from '../../../src-image/blockmap/RangeMapper.ts';
import { UsedBlocks } from '../../../src-image/blockmap/UsedBlocks.ts';
import {
  extDevice,
  freeRanges,
  makeExt,
  makeSparseFile,
  makeTree,
  runTool,
  type ExtPart,
} from '../../support/ext4Images.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { copyRanges, fileSize, fillFile, mapFile } from './MappedCopy.ts';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const seed = 20_241_121;

interface Scenario {
  readonly name: string;
  readonly parts: readonly ExtPart[];
  /** Input of sfdisk; none: the file system is the whole image. */
  readonly table?: string;
  /** Bytes of the image. */
  readonly bytes: number;
  readonly treeBytes?: number;
  /** Commands for debugfs -w on the first part. */
  readonly edits?: readonly string[];
  /** What the edits removed from the tree, relative. */
  readonly removed?: readonly string[];
  /** Grows the first part's file system to its size from the one given here, KiB. */
  readonly grownFrom?: number;
  /** debugfs dumps inline files with the wrong size: compare with its dump of the image itself. */
  readonly dumpsDiffer?: boolean;
  /** mke2fs -d leaves the quota files wrong: e2fsck puts the image right first. */
  readonly repaired?: boolean;
  /** Share of the free bytes that has to be skipped in chunks of 1 MiB. */
  readonly skips?: number;
}

function alone(name: string, mib: number, ...options: string[]): Scenario {
  return { name, bytes: mib * mebibyte, parts: [{ offset: 0, bytes: mib * mebibyte, options }] };
}

function inMbr(name: string, mib: number, sector: number, ...options: string[]): Scenario {
  const offset = sector * 512;
  return {
    name,
    bytes: offset + mib * mebibyte + 3 * 512,
    table: `label: dos\nstart=${String(sector)}, size=${String(mib * 2048)}, type=83\n`,
    parts: [{ offset, bytes: mib * mebibyte, options }],
  };
}

const piLike =
  'label: dos\nstart=2048, size=16384, type=c\nstart=18432, size=98304, type=83, bootable\n';
const threeParts =
  'label: gpt\nstart=2048, size=8192, type=U\nstart=10240, size=49152, type=L\nstart=61440, size=40960, type=L\n';
const everyFile = [0, 1, 2, 3, 4, 5, 6].flatMap((folder) =>
  [5, 10, 15, 20].map((step) => `d${String(folder)}/f${String(folder + 7 * step)}`),
);

const scenarios: readonly Scenario[] = [
  alone('ext4 by default, no table', 48, '-t', 'ext4'),
  alone('ext2, 1k blocks', 24, '-t', 'ext2', '-b', '1024'),
  inMbr('ext3, 2k blocks', 32, 2048, '-t', 'ext3', '-b', '2048'),
  inMbr('no flex_bg, 1k blocks', 48, 2048, '-t', 'ext4', '-b', '1024', '-O', '^flex_bg'),
  inMbr(
    'meta_bg, several meta groups',
    64,
    2048,
    ...['-t', 'ext4', '-b', '2048', '-g', '256', '-O', 'meta_bg,^resize_inode'],
  ),
  inMbr(
    'meta_bg, no flex_bg, no checksums',
    32,
    2048,
    ...['-t', 'ext4', '-b', '1024', '-g', '512'],
    ...['-O', 'meta_bg,^resize_inode,^flex_bg,^metadata_csum,^64bit'],
  ),
  inMbr(
    'sparse_super2',
    48,
    8192,
    ...['-t', 'ext4', '-b', '4096', '-g', '2048', '-O', 'sparse_super2,^resize_inode'],
  ),
  inMbr('32 bit descriptors', 48, 2048, '-t', 'ext4', '-g', '1024', '-O', '^64bit'),
  inMbr(
    'uninit_bg (crc16) with 64bit',
    48,
    2048,
    ...['-t', 'ext4', '-b', '2048', '-g', '512', '-O', '64bit,^metadata_csum,uninit_bg'],
  ),
  inMbr(
    'uninit_bg (crc16) with 32 bit',
    48,
    2048,
    ...['-t', 'ext4', '-b', '2048', '-O', '^64bit,^metadata_csum,uninit_bg'],
  ),
  inMbr(
    'no checksums at all',
    48,
    2048,
    ...['-t', 'ext4', '-b', '2048', '-O', '^metadata_csum,^uninit_bg'],
  ),
  inMbr(
    'inode tables zeroed at once',
    32,
    2048,
    ...['-t', 'ext4', '-b', '1024', '-E', 'lazy_itable_init=0,lazy_journal_init=0'],
  ),
  inMbr(
    'inode tables left for later',
    48,
    2048,
    ...['-t', 'ext4', '-b', '1024', '-E', 'lazy_itable_init=1,lazy_journal_init=1'],
  ),
  inMbr('no journal', 32, 2048, '-t', 'ext4', '-O', '^has_journal', '-E', 'nodiscard'),
  {
    ...inMbr('inline_data', 32, 2048, '-t', 'ext4', '-I', '256', '-O', 'inline_data'),
    dumpsDiffer: true,
  },
  inMbr('many inodes', 48, 2048, '-t', 'ext4', '-b', '1024', '-i', '1024'),
  inMbr('big inodes', 32, 2048, '-t', 'ext4', '-I', '1024', '-b', '4096'),
  inMbr(
    'flex groups of 4, no resize_inode',
    48,
    2048,
    '-t',
    'ext4',
    '-b',
    '1024',
    '-G',
    '4',
    '-O',
    '^resize_inode',
  ),
  inMbr('partition at an odd sector, 1k blocks', 32, 2049, '-t', 'ext4', '-b', '1024'),
  inMbr(
    'partition at an odd sector, 4k blocks',
    48,
    4097,
    '-t',
    'ext4',
    '-b',
    '4096',
    '-g',
    '1024',
  ),
  inMbr('partition at sector 63', 24, 63, '-t', 'ext2', '-b', '1024'),
  inMbr('blocks of 64k', 64, 2049, '-t', 'ext4', '-b', '65536'),
  inMbr(
    'all superblock copies, RAID stride',
    48,
    2048,
    ...['-t', 'ext4', '-b', '1024', '-O', '^sparse_super,^resize_inode,^flex_bg'],
    ...['-E', 'stride=16,stripe-width=64'],
  ),
  {
    ...alone(
      'many features',
      48,
      ...['-t', 'ext4', '-b', '1024', '-E', 'encoding=utf8', '-O'],
      'casefold,encrypt,verity,quota,project,ea_inode,large_dir,orphan_file,metadata_csum_seed',
    ),
    repaired: true,
  },
  {
    ...inMbr('groups of 128 MiB, most uninitialised', 400, 2048, '-t', 'ext4'),
    skips: 0.99,
  },
  {
    name: 'Pi-like MBR: FAT and ext4',
    table: piLike,
    bytes: 58 * mebibyte,
    parts: [{ offset: 9 * mebibyte, bytes: 48 * mebibyte, options: ['-t', 'ext4', '-b', '1024'] }],
  },
  {
    name: 'GPT with three partitions',
    table: threeParts,
    bytes: 52 * mebibyte,
    parts: [
      { offset: 5 * mebibyte, bytes: 24 * mebibyte, options: ['-t', 'ext4', '-b', '1024'] },
      { offset: 30 * mebibyte, bytes: 20 * mebibyte, options: ['-t', 'ext2', '-b', '2048'] },
    ],
  },
  {
    ...inMbr('filled, then partly deleted', 32, 2048, '-t', 'ext4', '-b', '1024'),
    treeBytes: 18 * mebibyte,
    edits: everyFile.map((file) => `rm ${file}`),
    removed: everyFile,
  },
  {
    ...inMbr('grown by resize2fs', 48, 2048, '-t', 'ext4', '-b', '1024', '-E', 'resize=200000'),
    grownFrom: 16 * kibibyte,
  },
];

let folder = '';
beforeAll(async () => {
  folder = await makeOwnFolder();
});
afterAll(async () => {
  await removeOwnFolder(folder);
});

describe(`images made by mke2fs (seed ${String(seed)})`, () => {
  it.each(scenarios.map((scenario, index) => ({ index, ...scenario })))(
    '$name',
    (scenario) => {
      const own = join(folder, String(scenario.index));
      mkdirSync(own);
      const random = new SeededRandom(seed + scenario.index);
      const image = join(own, 'image');
      const tree = join(own, 'tree');
      makeTree(tree, random, scenario.treeBytes ?? 3 * mebibyte);
      makeImage(image, tree, scenario);
      const pattern = random.bytes(mebibyte);
      const free = scenario.parts.flatMap((part) => freeRanges(image, part));
      for (const chunkBytes of [4 * kibibyte, 64 * kibibyte, mebibyte]) {
        const ranges = mapFile(image, new UsedBlocks(), chunkBytes);
        expectSafe(ranges, free, fileSize(image));
        expect(skippedShare(ranges, free)).toBeGreaterThan(0.9);
        if (chunkBytes < mebibyte) continue;
        const card = join(own, 'card');
        fillFile(card, fileSize(image), pattern);
        copyRanges(image, card, ranges);
        for (const part of scenario.parts) {
          runTool('e2fsck', ['-fn', extDevice(card, part)]);
          const out = join(own, String(part.offset));
          dump(card, part, out);
          if (scenario.dumpsDiffer === true) dump(image, part, `${out}-image`);
          const expected = scenario.dumpsDiffer === true ? `${out}-image` : tree;
          expectTree(out, expected, scenario.removed ?? []);
        }
        const kept = keptShare(card, pattern, free);
        expect(kept).toBeGreaterThan(scenario.skips ?? 0.95);
      }
      rmSync(own, { recursive: true });
    },
    60_000,
  );
});

function makeImage(image: string, tree: string, scenario: Scenario): void {
  const { table, parts, bytes, edits, grownFrom, repaired = false } = scenario;
  makeSparseFile(image, bytes);
  if (table !== undefined) runTool('sfdisk', ['-q', image], table);
  for (const part of parts) {
    const made = grownFrom === undefined ? part : { ...part, bytes: grownFrom * kibibyte };
    makeExt(image, made, tree);
  }
  const [first] = parts;
  if (first === undefined) throw new Error('a scenario without a file system');
  if (edits !== undefined) {
    runTool('debugfs', ['-w', '-f', '-', extDevice(image, first)], `${edits.join('\n')}\n`);
    runTool('e2fsck', ['-fn', extDevice(image, first)]);
  }
  // Exit code 1: repaired.
  if (repaired)
    expect(() => runTool('e2fsck', ['-fy', image])).toThrow(expect.objectContaining({ status: 1 }));
  if (grownFrom !== undefined) {
    const size = `${String(first.bytes / kibibyte)}k`;
    runTool('resize2fs', ['-f', extDevice(image, first), size]);
  }
}

/** What dumpe2fs does not call free has to be written. */
function expectSafe(
  ranges: readonly ByteRange[],
  free: readonly (readonly [number, number])[],
  bytes: number,
): void {
  const sorted = free.toSorted(([a], [b]) => a - b);
  let reached = 0;
  let next = 0;
  for (const { start, end } of [...ranges, { start: bytes, end: bytes }]) {
    while (reached < start) {
      const [freeStart, freeEnd] = sorted[next++] ?? [Infinity, Infinity];
      if (freeEnd <= reached) continue;
      if (freeStart > reached) expect.fail(`used byte ${String(reached)} is not written`);
      reached = freeEnd;
      if (reached > start) next--;
    }
    reached = Math.max(end, start);
  }
}

/** The share of the free bytes beyond the first MiB that are in no range. */
function skippedShare(
  ranges: readonly ByteRange[],
  free: readonly (readonly [number, number])[],
): number {
  let total = 0;
  let written = 0;
  for (const [start, end] of free) {
    total += Math.max(0, end - Math.max(start, mebibyte));
    for (const range of ranges) {
      const from = Math.max(range.start, start, mebibyte);
      written += Math.max(0, Math.min(range.end, end) - from);
    }
  }
  return 1 - written / total;
}

/** The share of the free bytes beyond the first MiB that still hold the random fill. */
function keptShare(
  card: string,
  pattern: Uint8Array,
  free: readonly (readonly [number, number])[],
): number {
  const descriptor = openSync(card, 'r');
  const unit = Buffer.alloc(4096);
  let kept = 0;
  let total = 0;
  for (const [start, end] of free) {
    for (
      let at = Math.max(mebibyte, Math.ceil(start / 4096) * 4096);
      at + 4096 <= end;
      at += 4096
    ) {
      readSync(descriptor, unit, 0, 4096, at);
      total++;
      const place = at % mebibyte;
      if (unit.equals(pattern.subarray(place, place + 4096))) kept++;
    }
  }
  closeSync(descriptor);
  expect(total).toBeGreaterThan(1000);
  return kept / total;
}

function dump(image: string, part: ExtPart, out: string): void {
  mkdirSync(out);
  runTool('debugfs', ['-R', `rdump / ${out}`, extDevice(image, part)]);
  rmSync(join(out, 'lost+found'), { recursive: true });
}

function expectTree(out: string, tree: string, removed: readonly string[]): void {
  const expected = listing(tree).filter((name) => !removed.includes(name));
  expect(listing(out)).toEqual(expected);
  for (const name of expected) {
    const [was, is] = [lstatSync(join(tree, name)), lstatSync(join(out, name))];
    expect(is.mode, name).toBe(was.mode);
    if (was.isSymbolicLink()) {
      expect(readlinkSync(join(out, name)), name).toBe(readlinkSync(join(tree, name)));
    } else if (was.isFile()) {
      const equal = readFileSync(join(out, name)).equals(readFileSync(join(tree, name)));
      expect(equal, name).toBe(true);
    }
  }
}

function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}
