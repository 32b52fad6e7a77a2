import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { viewOf } from '../../../src-image/ImageWindow.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';

/** Bytes of the image that all samples hold, unless told otherwise. */
export const sampleBytes = 320 * 1024;

/** An image with an MBR whose only partition reaches to its end; text-like, random and zero stretches. */
export function sampleImage(size = sampleBytes, seed = 7): Uint8Array {
  const random = new SeededRandom(seed);
  const image = new Uint8Array(size);
  for (let at = 0; at < size; at += 4096) {
    const piece = image.subarray(at, at + 4096);
    const kind = random.integer(4);
    if (kind === 0) continue;
    if (kind === 1) piece.set(random.bytes(4096).subarray(0, piece.length));
    else fillWords(piece, random);
  }
  image.fill(0, 0, 512);
  const view = viewOf(image);
  view.setUint8(446 + 4, 0x0c);
  view.setUint32(446 + 8, 64, true);
  view.setUint32(446 + 12, Math.floor(size / 512) - 64, true);
  view.setUint16(510, 0xaa55, true);
  return image;
}

function fillWords(piece: Uint8Array, random: SeededRandom): void {
  for (let at = 0; at < piece.length;) {
    const word = new TextEncoder().encode(`word${String(random.integer(300))} `);
    piece.set(word.subarray(0, piece.length - at), at);
    at += word.length;
  }
}

/** What a program writes to its output when it is given `input`. */
export function filtered(program: string, args: readonly string[], input: Uint8Array): Uint8Array {
  return new Uint8Array(
    execFileSync(program, args, { input, maxBuffer: 2 ** 30, stdio: ['pipe', 'pipe', 'pipe'] }),
  );
}

/** A zip file made by the program `zip` from files of these names. */
export function zipped(
  files: Readonly<Record<string, Uint8Array>>,
  ...options: readonly string[]
): Uint8Array {
  const folder = mkdtempSync(path.join(tmpdir(), 'image-samples-'));
  try {
    for (const [name, bytes] of Object.entries(files))
      writeFileSync(path.join(folder, name), bytes);
    const args = ['-q', ...options, 'made.zip', ...Object.keys(files)];
    execFileSync('zip', args, { cwd: folder });
    return new Uint8Array(readFileSync(path.join(folder, 'made.zip')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

export interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The image, decompressed. */
  readonly image: Uint8Array;
}

/** The same image in every shape that real tools give it. */
export function makeSamples(): readonly Sample[] {
  const image = sampleImage();
  const half = image.length / 2 + 100;
  const halves = [image.subarray(0, half), image.subarray(half)] as const;
  const inParts = (program: string, ...args: readonly string[]): Uint8Array =>
    joined(...halves.map((part) => filtered(program, args, part)));
  const blocks = filtered('xz', ['-T2', '--block-size=64KiB', '-c'], image);
  const [first, second] = halves.map((part) => filtered('xz', ['-T1', '-1', '-c'], part));
  const skippable = Uint8Array.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const zeros = new Uint8Array(512);

  const made: readonly (readonly [string, Uint8Array])[] = [
    ['raw', image],
    ['gzip', filtered('gzip', ['-c'], image)],
    ['gzip -9 with a name', joined(gzipWithName(image))],
    ['pigz', filtered('pigz', ['-p', '2', '-b', '128', '-c'], image)],
    ['gzip, two members', inParts('gzip', '-c')],
    ['gzip, zero padding', joined(filtered('gzip', ['-c'], image), zeros)],
    ['zstd', filtered('zstd', ['-q', '-c'], image)],
    ['zstd -19 --long=27', filtered('zstd', ['-q', '-19', '--long=27', '-c'], image)],
    ['zstd, two frames', inParts('zstd', '-q', '-c')],
    ['zstd, skippable frames', joined(skippable, inParts('zstd', '-q', '-c'), skippable)],
    ['pzstd', filtered('pzstd', ['-q', '-p', '2', '-c'], image)],
    ['xz -T2 --block-size', blocks],
    ['xz, single block', filtered('xz', ['-T1', '-c'], image)],
    ['xz -9', filtered('xz', ['-T1', '-9', '-c'], image)],
    ['xz --check=crc32', filtered('xz', ['--check=crc32', '-c'], image)],
    ['xz --check=sha256', filtered('xz', ['-T2', '--block-size=64KiB', '-Csha256', '-c'], image)],
    ['xz, two streams', joined(first ?? zeros, second ?? zeros)],
    ['xz, padding', joined(first ?? zeros, zeros, second ?? zeros, zeros.subarray(0, 4))],
    ['bzip2', filtered('bzip2', ['-c'], image)],
    ['bzip2, two streams, -1', inParts('bzip2', '-1', '-c')],
    ['zip', zipped({ 'card.img': image })],
    ['zip, stored', zipped({ 'card.img': image }, '-0')],
    ['zip64', zipped({ 'card.img': image }, '-fz')],
    ['zip from a pipe', filtered('zip', ['-q', '-', '-'], image)],
    ['zip with companions', zipped({ 'a.img': image, 'a.bmap': zeros, 'a.sha256': zeros })],
  ];
  return made.map(([name, bytes]) => ({ name, bytes, image }));
}

function gzipWithName(image: Uint8Array): Uint8Array {
  const folder = mkdtempSync(path.join(tmpdir(), 'image-samples-'));
  try {
    writeFileSync(path.join(folder, 'named.img'), image);
    return filtered('gzip', ['-9', '-N', '-c', path.join(folder, 'named.img')], new Uint8Array());
  } finally {
    rmSync(folder, { recursive: true });
  }
}
