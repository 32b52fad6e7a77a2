import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FailureError } from '../../../src-core/Failure.ts';
import { crc32c } from '../../../src-image/blockmap/ExtChecksum.ts';
import { surveyRawImage } from '../../../src-image/blockmap/ExtSurvey.ts';
import type { ByteRange } from '../../../src-image/blockmap/RangeMapper.ts';
import { UsedBlocks } from '../../../src-image/blockmap/UsedBlocks.ts';
import type { ImageFile } from '../../../src-image/ImageSource.ts';
import { makeExt, makeSparseFile, makeTree, runTool } from '../../support/ext4Images.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { expectShape } from './MappedCopy.ts';

const mebibyte = 1024 * 1024;
const seed = 4711;
const superblockAt = 1024;

let folder = '';
/** 8 MiB, 1k blocks, no checksums: what a mutation changes is believed. */
let plain: Uint8Array = new Uint8Array();
/** The same with metadata_csum and 64bit descriptors. */
let checked: Uint8Array = new Uint8Array();
/** The same in the first partition of an MBR. */
let partitioned = new Uint8Array();

beforeAll(async () => {
  folder = await makeOwnFolder();
  makeTree(join(folder, 'tree'), new SeededRandom(seed), 400_000);
  plain = makeImage('plain', ['-g', '1024', '-O', '^has_journal,^metadata_csum,^64bit,^uninit_bg']);
  checked = makeImage('checked', ['-g', '1024', '-O', '^has_journal,metadata_csum,64bit']);
  partitioned = new Uint8Array(plain.length + mebibyte);
  partitioned.set(plain, mebibyte);
  writeMbr(partitioned, [[0x83, 2048, plain.length / 512]]);
});
afterAll(async () => {
  await removeOwnFolder(folder);
});

function makeImage(name: string, options: readonly string[]): Uint8Array {
  const file = join(folder, name);
  makeSparseFile(file, 8 * mebibyte);
  const part = {
    offset: 0,
    bytes: 8 * mebibyte,
    options: ['-t', 'ext4', '-b', '1024', ...options],
  };
  makeExt(file, part, join(folder, 'tree'));
  return new Uint8Array(readFileSync(file));
}

function writeMbr(image: Uint8Array, entries: readonly (readonly number[])[]): void {
  const view = new DataView(image.buffer);
  for (const [index, [type = 0, start = 0, sectors = 0]] of entries.entries()) {
    view.setUint8(450 + 16 * index, type);
    view.setUint32(454 + 16 * index, start, true);
    view.setUint32(458 + 16 * index, sectors, true);
  }
  view.setUint16(510, 0xaa55, true);
}

function mapBytes(image: Uint8Array, chunkBytes = mebibyte): ByteRange[] {
  const mapper = new UsedBlocks();
  const all: ByteRange[] = [];
  for (let offset = 0; offset < image.length; offset += chunkBytes) {
    const chunk = image.subarray(offset, offset + chunkBytes);
    const ranges = mapper.map(offset, chunk);
    expectShape(ranges, offset, chunk.length);
    all.push(...ranges);
  }
  mapper.finish();
  return all;
}

function usedBytes(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

function changed(image: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = image.slice();
  change(new DataView(copy.buffer));
  return copy;
}

/** Sets a little-endian field of the superblock of `plain` or `checked`, its checksum included. */
function withField(image: Uint8Array, field: number, bits: 16 | 32, value: number): Uint8Array {
  return changed(image, (view) => {
    if (bits === 16) view.setUint16(superblockAt + field, value, true);
    else view.setUint32(superblockAt + field, value, true);
    signSuperblock(view);
  });
}

function signSuperblock(view: DataView): void {
  const bytes = new Uint8Array(view.buffer, superblockAt, 0x3fc);
  view.setUint32(superblockAt + 0x3fc, crc32c(0xffffffff, bytes), true);
}

function fieldOf(image: Uint8Array, field: number): number {
  return new DataView(image.buffer).getUint32(superblockAt + field, true);
}

const incompatField = 0x60;
const readOnlyField = 0x64;

function imageFile(image: Uint8Array): ImageFile {
  return {
    path: 'image',
    size: image.length,
    read(target, position) {
      const part = image.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
  };
}

/** By the mapper, and by the survey before. */
function expectUnavailable(image: Uint8Array, detail: string, chunkBytes = mebibyte): void {
  expectRefusal(() => mapBytes(image, chunkBytes), detail);
  expectRefusal(() => {
    surveyRawImage(imageFile(image));
  }, detail);
}

function expectRefusal(run: () => unknown, detail: string): void {
  try {
    run();
  } catch (thrown) {
    if (!(thrown instanceof FailureError)) throw thrown;
    expect(thrown.failure.code).toBe('used-blocks-unavailable');
    expect(thrown.message).toContain(detail);
    return;
  }
  expect.fail(`not refused: ${detail}`);
}

describe('UsedBlocks refuses', () => {
  it.each<[string, string, (name: string) => void]>([
    [
      'has a journal that was not replayed',
      '-O has_journal',
      (name) => runTool('debugfs', ['-w', '-R', 'feature needs_recovery', name]),
    ],
    ['uses bigalloc', '-O bigalloc,extents', () => undefined],
    ['is a journal device', '-O journal_dev', () => undefined],
    [
      'is marked as having errors',
      '-O ^metadata_csum',
      (name) => runTool('debugfs', ['-w', '-R', 'set_super_value state 3', name]),
    ],
    [
      'was not unmounted cleanly',
      '-O ^has_journal',
      (name) => runTool('debugfs', ['-w', '-R', 'set_super_value state 0', name]),
    ],
  ])('a real file system that %s', (detail, options, change) => {
    const file = join(folder, 'refused');
    makeSparseFile(file, 16 * mebibyte);
    const kind = options.includes('journal_dev') ? [] : ['-t', 'ext4'];
    runTool('mke2fs', ['-q', '-F', ...kind, '-b', '4096', ...options.split(' '), file]);
    change(file);
    const image = new Uint8Array(readFileSync(file));
    expectUnavailable(image, detail);
    expectUnavailable(image, detail, 4096);
  });

  it('unknown features, orphans', () => {
    for (const image of [plain, checked]) {
      const incompat = fieldOf(image, incompatField);
      const readOnly = fieldOf(image, readOnlyField);
      expectUnavailable(
        withField(image, incompatField, 32, incompat | 0x40000),
        'unknown features',
      );
      expectUnavailable(withField(image, incompatField, 32, incompat | 0x1), 'unknown features');
      expectUnavailable(withField(image, incompatField, 32, incompat | 0x80000000), '0x8');
      expectUnavailable(withField(image, readOnlyField, 32, readOnly | 0x80), 'unknown read-only');
      expectUnavailable(withField(image, readOnlyField, 32, readOnly | 0x10000), 'orphans');
      expectUnavailable(withField(image, 0x3a, 16, 5), 'orphans');
    }
  });

  it('images that hold no ext file system, as early as can be', () => {
    expectUnavailable(new Uint8Array(3 * mebibyte), 'no ext2');
    expectUnavailable(new Uint8Array(4096), 'no ext2');
    const fat = new Uint8Array(4 * mebibyte);
    writeMbr(fat, [[0x0c, 2048, 4096]]);
    const mapper = new UsedBlocks();
    mapper.map(0, fat.subarray(0, mebibyte));
    expect(() => mapper.map(mebibyte, fat.subarray(mebibyte, 2 * mebibyte))).toThrow('no ext2');
  });

  it('a superblock that is not to be believed, naming why', () => {
    const place = 'the ext file system at byte 0 ';
    expectUnavailable(withField(plain, 0x04, 32, 0xffffffff).slice(0, 3 * mebibyte), 'contradicts');
    expectUnavailable(withField(plain, 0x20, 32, 0), `${place}has a superblock that contradicts`);
    expectUnavailable(withField(plain, 0x20, 32, 8193 * 8), 'contradicts');
    expectUnavailable(withField(plain, 0x28, 32, 0), 'contradicts');
    expectUnavailable(withField(plain, 0x14, 32, 0), 'contradicts');
    expectUnavailable(withField(plain, 0x4c, 32, 0), 'contradicts');
    expectUnavailable(withField(plain, 0x18, 32, 7), 'does not fit');
    expectUnavailable(withField(checked, 0xfe, 16, 48), 'contradicts');
    const unsigned = changed(checked, (view) => {
      view.setUint8(superblockAt + 0x78, 0x41);
    });
    expectUnavailable(unsigned, 'wrong checksum');
    const larger = changed(partitioned, (view) => {
      view.setUint32(458, plain.length / 512 - 1, true);
    });
    expectUnavailable(larger, 'does not fit its partition');
  });

  it.each([
    [0, 'LUKS', 'LUKS\xba\xbe'],
    [82, 'FAT', 'FAT32   '],
    [512, 'LVM', 'LABELONE'],
    [4096, 'RAID', '\xfc\x4e\x2b\xa9'],
    [65600, 'Btrfs', '_BHRfS_M'],
  ])('a superblock left over (byte %i) below %s', (offset, name, text) => {
    const image = plain.slice();
    image.set(Buffer.from(text, 'latin1'), offset);
    expectUnavailable(image, `shares its place with ${name}`);
  });
});

describe('UsedBlocks takes for used', () => {
  it('only little of a small file system, from 1 MiB on', () => {
    expect(usedBytes(mapBytes(plain))).toBeLessThan(3 * mebibyte);
    expect(usedBytes(mapBytes(checked))).toBeLessThan(3 * mebibyte);
    expect(usedBytes(mapBytes(partitioned))).toBeLessThan(4 * mebibyte);
    for (const image of [plain, checked, partitioned]) surveyRawImage(imageFile(image));
  });

  it('whatever lies outside of partitions, or in unknown ones', () => {
    const image = new Uint8Array(partitioned.length + 4 * mebibyte);
    image.set(partitioned);
    const end = partitioned.length;
    writeMbr(image, [
      [0x83, 2048, plain.length / 512],
      [0x0c, end / 512, 2048],
    ]);
    const ranges = mapBytes(image).filter((range) => range.end > end);
    expect(usedBytes(ranges)).toBe(4 * mebibyte);
  });

  it('all of a partition that overlaps another', () => {
    const image = partitioned.slice();
    writeMbr(image, [
      [0x83, 2048, plain.length / 512],
      [0x0c, plain.length / 512, 2048],
    ]);
    expectUnavailable(image, 'no ext2');
  });

  it('all of an extended partition', () => {
    for (const type of [0x05, 0x0f, 0x85]) {
      const image = partitioned.slice();
      writeMbr(image, [[type, 2048, plain.length / 512]]);
      expectUnavailable(image, 'no ext2');
    }
  });

  it('a group whose bitmap, checksum or number of free blocks is wrong', () => {
    for (const image of [plain, checked]) {
      const before = usedBytes(mapBytes(image));
      const wide = (fieldOf(image, incompatField) & 0x80) !== 0;
      const size = wide ? 64 : 32;
      const bitmapOfLast = new DataView(image.buffer).getUint32(2048 + 7 * size, true);
      const flipped = changed(image, (view) => {
        const at = bitmapOfLast * 1024 + 60;
        view.setUint8(at, view.getUint8(at) ^ 1);
      });
      expect(usedBytes(mapBytes(flipped))).toBeGreaterThan(before + 600 * 1024);
      const miscounted = changed(image, (view) => {
        const at = 2048 + 7 * size + 0x0c;
        view.setUint16(at, view.getUint16(at, true) - 1, true);
      });
      expect(usedBytes(mapBytes(miscounted))).toBeGreaterThan(before + 600 * 1024);
    }
  });

  it('what the bitmap says, where an "uninitialised" flag has no checksum beside it', () => {
    const image = changed(plain, (view) => {
      for (let group = 0; group < 8; group++) view.setUint16(2048 + group * 32 + 0x12, 2, true);
    });
    expect(mapBytes(image)).toEqual(mapBytes(plain));
  });

  it('a group whose bitmap lies behind it in the stream', () => {
    const image = changed(plain, (view) => {
      const last = 2048 + 7 * 32;
      const bitmap = view.getUint32(last, true);
      // The bitmap of group 2 moves to a free block of group 7; the old one stays behind.
      const second = 2048 + 2 * 32;
      const from = view.getUint32(second, true);
      const to = 8191;
      for (let index = 0; index < 1024; index++) {
        view.setUint8(to * 1024 + index, view.getUint8(from * 1024 + index));
      }
      view.setUint32(second, to, true);
      expect(bitmap).not.toBe(to);
    });
    const third = { start: (1 + 2 * 1024) * 1024, end: (1 + 3 * 1024) * 1024 };
    const inside = (ranges: ByteRange[]): number =>
      ranges.reduce(
        (sum, { start, end }) =>
          sum + Math.max(0, Math.min(end, third.end) - Math.max(start, third.start)),
        0,
      );
    expect(inside(mapBytes(plain))).toBeLessThan(mebibyte / 2);
    expect(inside(mapBytes(image))).toBe(mebibyte);
  });

  it('metadata that the bitmap calls free', () => {
    // All bitmaps say: everything is free, and the counts agree.
    const image = changed(plain, (view) => {
      for (let group = 0; group < 8; group++) {
        const at = 2048 + group * 32;
        const bitmap = view.getUint32(at, true) * 1024;
        for (let index = 0; index < 128; index++) view.setUint8(bitmap + index, 0);
        view.setUint16(at + 0x0c, group === 7 ? 1023 : 1024, true);
      }
    });
    const ranges = mapBytes(image);
    const written = (block: number): boolean =>
      ranges.some(({ start, end }) => start <= block * 1024 && end >= (block + 1) * 1024);
    const view = new DataView(plain.buffer);
    for (let group = 0; group < 8; group++) {
      const at = 2048 + group * 32;
      for (const field of [0, 4, 8]) {
        expect(written(view.getUint32(at + field, true)), `group ${String(group)}`).toBe(true);
      }
    }
    // Copies of the superblock in groups 1, 3, 5 and 7.
    for (const group of [1, 3, 5, 7]) expect(written(1 + group * 1024)).toBe(true);
    expect(usedBytes(ranges)).toBeLessThan(usedBytes(mapBytes(plain)));
  });
});

describe('UsedBlocks bears hostile input', () => {
  it('refuses chunks out of order', () => {
    const mapper = new UsedBlocks();
    mapper.map(0, plain.subarray(0, 4096));
    expect(() => mapper.map(8192, plain.subarray(8192, 12_288))).toThrow('out of order');
  });

  it('survives the largest number of groups, each with the smallest size', () => {
    const image = changed(new Uint8Array(24 * mebibyte), (view) => {
      new Uint8Array(view.buffer).set(plain.subarray(0, 2048));
      view.setUint32(superblockAt + 0x04, 131_072 * 8 + 1, true);
      view.setUint32(superblockAt + 0x20, 8, true);
      for (let group = 0; group < 131_072; group++) {
        for (const field of [0, 4, 8]) view.setUint32(2048 + group * 32 + field, 20_000, true);
        view.setUint16(2048 + group * 32 + 0x0c, 8, true);
      }
    });
    const before = performance.now();
    for (const chunkBytes of [4096, mebibyte]) mapBytes(image, chunkBytes);
    expect(performance.now() - before).toBeLessThan(8000);
  });

  it(`maps or refuses 600 mutated images (seed ${String(seed)})`, () => {
    const random = new SeededRandom(seed);
    const outcomes = { mapped: 0, refused: 0 };
    for (let round = 0; round < 600; round++) {
      const base = [plain, checked, partitioned][random.integer(3)] ?? plain;
      const image = mutated(base, random);
      const chunkBytes = 4096 * ([1, 3, 16, 100, 256, 777][random.integer(6)] ?? 1);
      try {
        mapBytes(image, chunkBytes);
        outcomes.mapped++;
      } catch (thrown) {
        if (!(thrown instanceof FailureError)) {
          throw new Error(`round ${String(round)}, seed ${String(seed)}`, { cause: thrown });
        }
        expect(thrown.failure.code).toBe('used-blocks-unavailable');
        outcomes.refused++;
      }
    }
    expect(outcomes.mapped).toBeGreaterThan(200);
    expect(outcomes.refused).toBeGreaterThan(60);
  });
});

/** One to four fields of the partition table, superblock or descriptors set to odd values. */
function mutated(base: Uint8Array, random: SeededRandom): Uint8Array {
  const image = base.slice(0, random.integer(10) === 0 ? random.integer(base.length) : base.length);
  const start = base === partitioned ? mebibyte : 0;
  const areas: readonly (readonly [number, number])[] = [
    [446, 66],
    [start + superblockAt, 0x68],
    [start + superblockAt, 0x110],
    [start + superblockAt, 0x400],
    [start + 2048, 8 * 64],
    [start + 2048, 8 * 32],
    [start, 256 * 1024],
    [start, 256 * 1024],
  ];
  const view = new DataView(image.buffer);
  for (let count = 1 + random.integer(4); count > 0; count--) {
    const [from, length] = areas[random.integer(areas.length)] ?? [0, 1];
    const at = from + random.integer(length);
    if (at + 4 > image.length) continue;
    const odd = [0, 1, 0x7fffffff, 0xffffffff, 0x80000000, random.bits(), random.integer(10_000)];
    const value = odd[random.integer(odd.length)] ?? 0;
    if (random.integer(2) === 0) view.setUint32(at, value, true);
    else view.setUint8(at, value & 0xff);
  }
  if (base === checked && image.length >= 2048) signSuperblock(view);
  return image;
}
