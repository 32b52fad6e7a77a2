import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { failureOf } from '../../../src-core/Failure.ts';
import { imageOfDescriptor, openImage } from '../../../src-image/FileImage.ts';
import { inspectImage } from '../../../src-image/ImageInspection.ts';
import { filtered, sampleBytes, sampleImage } from './ImageSamples.ts';

let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'file-image-'));
  file = path.join(folder, 'card.img');
  writeFileSync(file, sampleImage());
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (thrown) {
    return failureOf(thrown).code;
  }
}

test('reads whole pieces, and what there is at the end', () => {
  const image = openImage(file);
  expect(image.size).toBe(sampleBytes);
  const piece = new Uint8Array(1000);
  expect(image.read(piece, 0)).toBe(1000);
  expect(Buffer.compare(piece, sampleImage().subarray(0, 1000))).toBe(0);
  expect(image.read(piece, sampleBytes - 10)).toBe(10);
  expect(image.read(piece, sampleBytes + 10)).toBe(0);
  image.close();
  image.close();
  expect(codeOf(() => image.read(piece, 0))).toBe('image-unreadable');
});

test('what cannot be an image is named', () => {
  expect(codeOf(() => openImage(path.join(folder, 'absent')))).toBe('image-not-found');
  expect(codeOf(() => openImage(path.join(file, 'below')))).toBe('image-not-found');
  expect(codeOf(() => openImage(folder))).toBe('image-not-a-file');
  expect(codeOf(() => openImage('/dev/null'))).toBe('image-not-a-file');
  execFileSync('/usr/bin/mkfifo', [path.join(folder, 'pipe')]);
  expect(codeOf(() => openImage(path.join(folder, 'pipe')))).toBe('image-not-a-file');
  writeFileSync(file, '');
  expect(codeOf(() => openImage(file))).toBe('image-empty');
});

test('a file that cannot be opened is unreadable, and the cause is kept', () => {
  symlinkSync('loop', path.join(folder, 'loop'));
  expect(() => openImage(path.join(folder, 'loop'))).toThrow('ELOOP');
  expect(codeOf(() => openImage(path.join(folder, 'loop')))).toBe('image-unreadable');
});

test('a change while the image is open is noticed', async () => {
  const image = openImage(file);
  await image.checkUnchanged();
  appendFileSync(file, 'x');
  await expect(image.checkUnchanged()).rejects.toMatchObject({
    failure: { code: 'image-changed' },
  });
  image.close();
});

test('a file that is another one than was looked at is noticed', () => {
  const image = openImage(file);
  const { identity } = image;
  image.close();
  openImage(file, identity).close();
  utimesSync(file, 1, 1);
  expect(codeOf(() => openImage(file, identity))).toBe('image-changed');
  mkdirSync(path.join(folder, 'sub'));
  const other = path.join(folder, 'sub', 'card.img');
  writeFileSync(other, sampleImage());
  expect(codeOf(() => openImage(other, identity))).toBe('image-changed');
});

test('a descriptor that another opened serves as well, and stays open on failure', () => {
  const descriptor = openSync(file, 'r');
  expect(imageOfDescriptor(descriptor, file).size).toBe(sampleBytes);
  const wrong = { device: 0, inode: 0, size: 0, modified: 0 };
  expect(codeOf(() => imageOfDescriptor(descriptor, file, wrong))).toBe('image-changed');
  expect(fstatSync(descriptor).size).toBe(sampleBytes);
  closeSync(descriptor);
  expect(codeOf(() => imageOfDescriptor(descriptor, file))).toBe('image-unreadable');
});

test('an inspection tells what is needed before permission is asked', async () => {
  const inspection = await inspectImage(file);
  expect(inspection).toMatchObject({
    size: sampleBytes,
    leastSize: sampleBytes,
    plan: { format: 'raw' },
    table: { scheme: 'mbr' },
  });

  const compressed = path.join(folder, 'card.img.gz');
  writeFileSync(compressed, filtered('gzip', ['-c'], sampleImage()));
  expect(await inspectImage(compressed)).toMatchObject({
    size: null,
    leastSize: sampleBytes,
    plan: { format: 'gzip' },
    table: { scheme: 'mbr' },
  });
});

test('an inspection refuses what is no image, unless told not to', async () => {
  writeFileSync(file, 'not an image');
  const failed = { failure: { code: 'image-not-recognised', facts: { path: file } } };
  await expect(inspectImage(file)).rejects.toMatchObject(failed);
  expect(await inspectImage(file, true)).toMatchObject({ size: 12, table: null });
});
