import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf } from '../../../src-core/Failure.ts';
import { checkImageHead, imageHeadBytes } from '../../../src-image/ImageHead.ts';
import { viewOf } from '../../../src-image/ImageWindow.ts';
import { readPartitionTable } from '../../../src-image/PartitionTable.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { memoryImage } from './DecodedImage.ts';

const size = 8 * 1024 * 1024;
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'image-head-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** An image that a real tool made; the tool gets the name of a file of `bytes` zero bytes. */
function made(program: string, args: readonly string[], input = '', bytes = size): Uint8Array {
  const file = path.join(folder, 'image');
  writeFileSync(file, '');
  truncateSync(file, bytes);
  execFileSync(program, [...args, file], { input, stdio: ['pipe', 'ignore', 'pipe'] });
  return new Uint8Array(readFileSync(file));
}

function verdict(image: Uint8Array, imageSize: number | null = image.length): string {
  try {
    const head = image.subarray(0, imageHeadBytes);
    return checkImageHead(head, imageSize, 'image', false)?.scheme ?? 'nothing';
  } catch (thrown) {
    return failureOf(thrown).code;
  }
}

/** As the images of Raspberry Pi OS: a FAT partition, ext4 after it. */
const boot = { start: 2048, sectors: 6144 };
const root = { start: 8192, sectors: 8192 };
const piTable = 'label: dos\nstart=2048, size=6144, type=c\nstart=8192, type=83\n';

describe('images of real tools', () => {
  test('MBR of a Pi image', () => {
    const image = made('/usr/sbin/sfdisk', [], piTable);
    expect(verdict(image)).toBe('mbr');
    expect(readPartitionTable(memoryImage(image))?.partitions).toMatchObject([
      { number: 1, type: '0x0c', start: boot.start * 512, size: boot.sectors * 512 },
      { number: 2, type: '0x83', start: root.start * 512, size: root.sectors * 512 },
    ]);
  });

  test('file systems and labels inside partitions', () => {
    const image = made('/usr/sbin/sfdisk', [], piTable);
    const fat = made('/usr/sbin/mkfs.vfat', ['-F', '32', '-n', 'BOOTFS'], '', boot.sectors * 512);
    const ext = made('/usr/sbin/mkfs.ext4', ['-q', '-L', 'rootfs'], '', root.sectors * 512);
    image.set(fat, boot.start * 512);
    image.set(ext, root.start * 512);
    const table = readPartitionTable(memoryImage(image));
    expect(table?.partitions.map(({ fileSystem }) => fileSystem)).toMatchObject([
      { type: 'fat32', label: 'BOOTFS', size: boot.sectors * 512 },
      { type: 'ext4', label: 'rootfs', size: root.sectors * 512 },
    ]);
    expect(table?.end).toBe(image.length);
  });

  test('GPT', () => {
    const image = made('/usr/sbin/sfdisk', [], 'label: gpt\nsize=2048, name=boot\ntype=L\n');
    expect(verdict(image)).toBe('gpt');
    expect(readPartitionTable(memoryImage(image))?.partitions).toMatchObject([
      { number: 1, name: 'boot', size: 2048 * 512 },
      { number: 2, type: '0fc63daf-8483-4772-8e79-3d69d8477de4', name: null },
    ]);
  });

  test('GPT for sectors of 4096 bytes', () => {
    const image = new Uint8Array(size);
    const table = 'label: gpt\nfirst-lba: 34\nstart=64, size=200\n';
    const small = made('/usr/sbin/sfdisk', [], table);
    image.set(small.subarray(0, 512));
    image.set(small.subarray(512, 1024), 4096);
    image.set(small.subarray(1024, 1024 + 128 * 128), 8192);
    expect(verdict(image)).toBe('gpt');
  });

  test('a protective MBR without its GPT protects nothing', () => {
    const image = made('/usr/sbin/sfdisk', [], 'label: gpt\nsize=2048\n');
    image[600] = (image[600] ?? 0) ^ 1;
    image[512 + 16] = (image[512 + 16] ?? 0) ^ 1;
    expect(verdict(image)).toBe('image-not-recognised');
  });

  test('logical partitions', () => {
    const table = 'label: dos\nsize=2048, type=c\ntype=5\nsize=2048, type=83\nsize=2048, type=82\n';
    const image = made('/usr/sbin/sfdisk', [], table);
    expect(readPartitionTable(memoryImage(image))?.partitions).toMatchObject([
      { number: 1, type: '0x0c' },
      { number: 2, type: '0x05' },
      { number: 5, type: '0x83', size: 2048 * 512 },
      { number: 6, type: '0x82', size: 2048 * 512 },
    ]);
  });

  test.each([
    ['FAT12', ['-F', '12'], 'fat12'],
    ['FAT16', ['-F', '16', '-s', '1', '-n', 'CARD'], 'fat16'],
    ['FAT32', ['-F', '32', '-s', '1', '-n', 'CARD'], 'fat32'],
  ])('%s without a table', (_, args, type) => {
    const image = made('/usr/sbin/mkfs.vfat', args, '', type === 'fat12' ? 4 * 2 ** 20 : size);
    expect(verdict(image)).toBe('none');
    const label = args.includes('-n') ? 'CARD' : null;
    expect(readPartitionTable(memoryImage(image))?.fileSystem).toMatchObject({ type, label });
  });

  test.each(['ext2', 'ext3', 'ext4'])('%s without a table', (type) => {
    const image = made(`/usr/sbin/mkfs.${type}`, ['-q', '-L', 'root']);
    expect(verdict(image)).toBe('none');
    expect(readPartitionTable(memoryImage(image))?.fileSystem).toEqual({
      type,
      label: 'root',
      size,
    });
  });

  test('a swap area is seen, and is no image', () => {
    const image = made('/usr/sbin/mkswap', ['-q', '-L', 'BW-UNFINISHED']);
    expect(readPartitionTable(memoryImage(image))).toMatchObject({
      scheme: 'none',
      fileSystem: { type: 'swap', label: 'BW-UNFINISHED' },
    });
    expect(verdict(image)).toBe('image-not-recognised');
  });
});

describe('ISO 9660', () => {
  function iso(): Uint8Array {
    const image = new Uint8Array(imageHeadBytes * 2);
    image.set(new TextEncoder().encode('\u0001CD001\u0001'), 32768);
    image.set(new TextEncoder().encode('LINUX_INSTALLER'), 32768 + 40);
    return image;
  }

  test('alone has no partition table', () => {
    expect(verdict(iso())).toBe('image-no-partition-table');
  });

  test('with a table over itself, as isohybrid writes it, is an image', () => {
    const image = iso();
    const view = viewOf(image);
    view.setUint8(446, 0x80);
    view.setUint32(446 + 12, 7_739_392, true);
    view.setUint8(462 + 4, 0xef);
    view.setUint32(462 + 8, 3792, true);
    view.setUint32(462 + 12, 18_000, true);
    view.setUint16(510, 0xaa55, true);
    expect(verdict(image)).toBe('mbr');
  });
});

describe('not an image', () => {
  const random = new SeededRandom(4);

  test.each([
    ['zero bytes', new Uint8Array(imageHeadBytes)],
    ['random bytes', random.bytes(imageHeadBytes)],
    ['one byte', Uint8Array.of(1)],
    ['text', new TextEncoder().encode('<!doctype html>'.repeat(600))],
    ['random bytes with the mark of an MBR', withMark(random.bytes(imageHeadBytes))],
    ['only the mark of an MBR', withMark(new Uint8Array(512))],
  ])('%s', (_, bytes) => {
    expect(verdict(bytes)).toBe('image-not-recognised');
  });

  test('nothing at all', () => {
    expect(verdict(new Uint8Array())).toBe('image-empty');
  });

  test('a tar archive', () => {
    writeFileSync(path.join(folder, 'content'), 'text');
    const args = ['-cf', path.join(folder, 'made.tar'), '-C', folder, 'content'];
    execFileSync('/usr/bin/tar', args);
    expect(verdict(readFileSync(path.join(folder, 'made.tar')))).toBe('image-not-recognised');
  });

  test('anything passes when the caller insists', () => {
    expect(checkImageHead(random.bytes(4096), 4096, 'image', true)).toBeNull();
  });
});

test('an image that ends before its last partition does is cut', () => {
  const image = made('/usr/sbin/sfdisk', [], piTable);
  expect(verdict(image, size)).toBe('mbr');
  expect(verdict(image, size - 512)).toBe('image-truncated');
  expect(verdict(image, null)).toBe('mbr');
  const ext4 = made('/usr/sbin/mkfs.ext4', ['-q']);
  expect(verdict(ext4, size - 1024)).toBe('image-truncated');
});

test('tables of random entries are read without an exception or endless chains', () => {
  const seed = 99;
  const entries = new SeededRandom(seed);
  const tables = [
    made('/usr/sbin/sfdisk', [], 'label: dos\nsize=2048, type=c\ntype=5\nsize=2048, type=83\n'),
    made('/usr/sbin/sfdisk', [], 'label: gpt\nsize=2048\n'),
  ].map((table) => table.subarray(0, 3 * 2 ** 20));
  for (let round = 0; round < 2000; round++) {
    const image = tables[round % 2] ?? new Uint8Array();
    const places = [446, 512, 1024, 4096 * 512 + 446].map((near) => near + entries.integer(66));
    const before = places.map((at) => image[at] ?? 0);
    for (const at of places) if (entries.integer(2) === 0) image[at] = entries.integer(256);
    const found = readPartitionTable(memoryImage(image));
    expect(found?.partitions.length ?? 0, `seed ${String(seed)}`).toBeLessThanOrEqual(130);
    places.forEach((at, index) => (image[at] = before[index] ?? 0));
  }
});

function withMark(bytes: Uint8Array): Uint8Array {
  viewOf(bytes).setUint16(510, 0xaa55, true);
  return bytes;
}
