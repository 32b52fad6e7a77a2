import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createHash } from 'node:crypto';
import type { ImageFormat } from '../../src-core/FlashEvent.ts';
import type { ImageFile } from '../../src-image/ImageSource.ts';
import { SeededRandom } from '../support/SeededRandom.ts';

const MIB = 1 << 20;

/** Bytes of the images, decompressed. */
export const IMAGE_BYTES = {
  /** Not a multiple of anything: the last slot is partial and its last block as well. */
  large: 4 * MIB + 300_100,
  whole: 3 * MIB,
  /** Its last MiBs are zeros, which the digest may reach long after the cards. */
  emptyEnd: 5 * MIB + 100,
  /** Nothing but what is written last. */
  mebibyte: MIB,
  /** Not even that, and its last block partial. */
  small: 700 * 1024 + 100,
} as const;

export type ImageSize = keyof typeof IMAGE_BYTES;

export interface TestImage {
  readonly raw: Uint8Array;
  readonly sha256: string;
  readonly encoded: Readonly<Record<ImageFormat, Uint8Array>>;
}

export type TestImages = Readonly<Record<ImageSize, TestImage>>;

/** Images with a partition table in every size and format, encoded by the real tools. */
export function makeTestImages(seed: number): TestImages {
  return {
    large: makeTestImage(IMAGE_BYTES.large, seed),
    whole: makeTestImage(IMAGE_BYTES.whole, seed),
    emptyEnd: makeTestImage(IMAGE_BYTES.emptyEnd, seed, 2 * MIB),
    mebibyte: makeTestImage(IMAGE_BYTES.mebibyte, seed),
    small: makeTestImage(IMAGE_BYTES.small, seed),
  };
}

function makeTestImage(size: number, seed: number, used = size): TestImage {
  const raw = rawImage(size, seed, used);
  const folder = mkdtempSync(path.join(tmpdir(), 'boxwright-images-'));
  try {
    const file = path.join(folder, 'card.img');
    writeFileSync(file, raw);
    const tool = (name: string, ...flags: string[]): Uint8Array =>
      execFileSync(name, [...flags, '-c', file], { maxBuffer: 16 * MIB });
    execFileSync('zip', ['-q', '-j', `${file}.zip`, file]);
    return {
      raw,
      sha256: createHash('sha256').update(raw).digest('hex'),
      encoded: {
        raw,
        gzip: tool('gzip'),
        zstd: tool('zstd', '-q'),
        xz: tool('xz', '-1', '--block-size=1MiB'),
        bzip2: tool('bzip2'),
        zip: readFileSync(`${file}.zip`),
      },
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Random runs between zeros; every MiB differs from every other, so that a misplaced one is seen.
 * @param used bytes after which nothing but zeros follows
 */
function rawImage(size: number, seed: number, used: number): Uint8Array {
  const random = new SeededRandom(seed);
  const raw = new Uint8Array(size);
  for (let at = 0; at < used; at += 64 * 1024) {
    const noise = random.bytes(4096).subarray(0, raw.length - at);
    raw.set(noise, at);
  }
  raw.fill(0, 0, 512);
  const table = new DataView(raw.buffer, 446);
  raw[446 + 4] = 0x0c;
  table.setUint32(8, 64, true);
  table.setUint32(12, Math.floor(size / 512) - 64, true);
  raw.set([0x55, 0xaa], 510);
  return raw;
}

/** An image file in memory. */
export function memoryFile(bytes: Uint8Array): ImageFile {
  return {
    path: 'card.img',
    size: bytes.length,
    read(target, position) {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
  };
}
