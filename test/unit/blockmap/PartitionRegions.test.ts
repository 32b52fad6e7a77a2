import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionRegions } from '../../../src-image/blockmap/PartitionRegions.ts';
import { makeSparseFile, runTool } from '../../support/ext4Images.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';

const mebibyte = 1024 * 1024;
let folder = '';
beforeAll(async () => {
  folder = await makeOwnFolder();
});
afterAll(async () => {
  await removeOwnFolder(folder);
});

/** The first MiB of a disk that sfdisk and then sgdisk partitioned. */
function diskHead(script: string, sgdisk: readonly string[] = []): Uint8Array {
  const file = join(folder, 'disk');
  makeSparseFile(file, 64 * mebibyte);
  if (script !== '') runTool('sfdisk', ['-q', file], script);
  if (sgdisk.length > 0) runTool('sgdisk', [...sgdisk, file]);
  return new Uint8Array(readFileSync(file)).subarray(0, mebibyte);
}

function sectors(start: number, count: number): { start: number; end: number } {
  return { start: start * 512, end: (start + count) * 512 };
}

const twoGpt = 'label: gpt\nstart=40960, size=2048\nstart=2048, size=4096\n';

describe('partitionRegions', () => {
  it('is the whole image where there is no table', () => {
    const whole = [{ start: 0, end: Infinity }];
    expect(partitionRegions(new Uint8Array(mebibyte))).toEqual(whole);
    expect(partitionRegions(new Uint8Array(100))).toEqual(whole);
    expect(partitionRegions(diskHead('label: dos\n'))).toEqual(whole);
  });

  it('reads an MBR, without extended and logical partitions', () => {
    const head = diskHead(
      'label: dos\nstart=2048,size=2048,type=c\nstart=8192,size=8192,type=5\nstart=20480,size=1000,type=83\nstart=4096,size=2048,type=83\nstart=10240,size=2048,type=83\n',
    );
    expect(partitionRegions(head)).toEqual([
      sectors(2048, 2048),
      sectors(4096, 2048),
      sectors(20480, 1000),
    ]);
  });

  it('reads a GPT, in the order of the disk', () => {
    expect(partitionRegions(diskHead(twoGpt))).toEqual([sectors(2048, 4096), sectors(40960, 2048)]);
  });

  it('reads a hybrid table, without an MBR entry that is not in the GPT', () => {
    const head = diskHead(twoGpt, ['-h', '1:2']);
    expect(partitionRegions(head)).toEqual([sectors(2048, 4096), sectors(40960, 2048)]);
    const view = new DataView(head.buffer);
    view.setUint32(446 + 48 + 8, 3000, true);
    view.setUint32(446 + 48 + 12, 100, true);
    view.setUint8(446 + 48 + 4, 0x83);
    expect(partitionRegions(head)).toEqual([sectors(40960, 2048)]);
  });

  it('reads a GPT of 4096-byte sectors', () => {
    const head = new Uint8Array(mebibyte);
    const gpt = diskHead(twoGpt);
    head.set(gpt.subarray(0, 512));
    head.set(gpt.subarray(512, 1024), 4096);
    head.set(gpt.subarray(1024, 1024 + 128 * 128), 2 * 4096);
    const [first, second] = partitionRegions(head);
    expect(first).toEqual({ start: 2048 * 4096, end: 6144 * 4096 });
    expect(second?.start).toBe(40960 * 4096);
  });

  it('believes no GPT with a wrong checksum, number of entries or place', () => {
    const good = diskHead(twoGpt);
    for (const at of [512 + 48, 512 + 72, 512 + 80, 512 + 84, 512 + 88, 1024 + 40]) {
      const bad = new Uint8Array(good);
      bad[at] = (bad[at] ?? 0) ^ 1;
      expect(partitionRegions(bad), `byte ${String(at)}`).toEqual([]);
    }
    for (const [field, value] of [
      [72, 1n],
      [72, 1n << 62n],
      [80, 0x80_ffffffffn],
      [24, 2n],
    ] as const) {
      expect(partitionRegions(signed(good, field, value)), String(field)).toEqual([]);
    }
    expect(partitionRegions(good.subarray(0, 4096))).toEqual([]);
  });

  it('leaves out partitions that overlap', () => {
    const head = diskHead('label: dos\nstart=2048,size=4096\nstart=8192,size=2048\n');
    const view = new DataView(head.buffer);
    view.setUint32(446 + 32 + 8, 3000, true);
    view.setUint32(446 + 32 + 12, 5193, true);
    view.setUint8(446 + 32 + 4, 0x83);
    expect(partitionRegions(head)).toEqual([]);
    view.setUint32(446 + 32 + 12, 5192, true);
    expect(partitionRegions(head)).toEqual([sectors(8192, 2048)]);
  });

  it('is nothing where the table makes no sense', () => {
    const head = diskHead('label: dos\nstart=2048,size=4096\n');
    head[446] = 0x42;
    expect(partitionRegions(head)).toEqual([]);
  });

  it('bears random bytes behind good signatures (seed 99)', () => {
    const random = new SeededRandom(99);
    for (let round = 0; round < 500; round++) {
      const head = diskHeadOf(random);
      let reached = 0;
      for (const { start, end } of partitionRegions(head)) {
        expect(start).toBeGreaterThanOrEqual(reached);
        expect(end).toBeGreaterThan(start);
        reached = end;
      }
    }
  });
});

/** Sets a 64-bit field of the GPT header and makes its checksum right again. */
function signed(head: Uint8Array, field: number, value: bigint): Uint8Array {
  const copy = new Uint8Array(head);
  const view = new DataView(copy.buffer, 512);
  view.setBigUint64(field, value, true);
  view.setUint32(16, 0);
  view.setUint32(16, crc32(copy.subarray(512, 512 + 92)), true);
  return copy;
}

function diskHeadOf(random: SeededRandom): Uint8Array {
  const head = new Uint8Array(16_384);
  head.set(random.bytes(16_384 - 1024), 1024);
  const view = new DataView(head.buffer);
  for (const at of [446, 462, 478, 494]) {
    view.setUint8(at + 4, [0, 0x83, 0x0c, 0x05, 0xee][random.integer(5)] ?? 0);
    view.setUint32(at + 8, random.integer(2) === 0 ? random.bits() : random.integer(5000), true);
    view.setUint32(at + 12, random.integer(2) === 0 ? random.bits() : random.integer(5000), true);
  }
  view.setUint16(510, 0xaa55, true);
  view.setBigUint64(512, 0x5452415020494645n, true);
  view.setUint32(512 + 12, 92, true);
  view.setBigUint64(512 + 24, 1n, true);
  view.setBigUint64(512 + 72, 2n, true);
  view.setUint32(512 + 80, 8, true);
  view.setUint32(512 + 84, 128, true);
  view.setUint32(512 + 88, crc32(head.subarray(1024, 2048)), true);
  return signed(head, 72, 2n);
}
