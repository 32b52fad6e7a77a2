import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { planDecode } from '../../../src-image/DecodePlan.ts';
import { viewOf } from '../../../src-image/ImageWindow.ts';
import type { ImageFile } from '../../../src-image/ImageSource.ts';
import { failureCodeOf, memoryImage, outcomeOf } from './DecodedImage.ts';
import { filtered, joined, sampleImage, zipped } from './ImageSamples.ts';

const image = sampleImage();

/** An .xz file of one stream with this index content and whatever blocks, all checksums right. */
function xzWith(
  blocks: Uint8Array,
  records: readonly (readonly [bigint, bigint])[],
  count?: bigint,
) {
  const header = Uint8Array.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46]);
  const numbers = [count ?? BigInt(records.length), ...records.flat()];
  const fields = [0, ...numbers.flatMap(variableLength)];
  while (fields.length % 4 !== 0) fields.push(0);
  const index = new Uint8Array(fields.length + 4);
  index.set(fields);
  viewOf(index).setUint32(fields.length, crc32(index.subarray(0, fields.length)), true);
  const footer = new Uint8Array(12);
  viewOf(footer).setUint32(4, index.length / 4 - 1, true);
  footer.set([0, 4, 0x59, 0x5a], 8);
  viewOf(footer).setUint32(0, crc32(footer.subarray(4, 10)), true);
  return joined(header, blocks, index, footer);
}

function variableLength(value: bigint): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

describe('an xz index with right checksums that claims', () => {
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['2^62 blocks', xzWith(new Uint8Array(64), [], 2n ** 62n)],
    ['a block of 2^62 bytes', xzWith(new Uint8Array(64), [[64n, 2n ** 62n]])],
    [
      'sizes that add up over 2^53',
      xzWith(new Uint8Array(64), [
        [32n, 2n ** 52n],
        [32n, 2n ** 52n],
      ]),
    ],
    ['blocks longer than the file', xzWith(new Uint8Array(64), [[2n ** 40n, 100n]])],
    ['blocks shorter than the file', xzWith(new Uint8Array(64), [[32n, 100n]])],
    ['a block too small to be one', xzWith(new Uint8Array(64), [[4n, 100n]])],
    ['a block that is none', xzWith(new Uint8Array(64), [[64n, 2n ** 50n]])],
  ];
  test.each(cases)('%s', async (_, bytes) => {
    expect(await failureCodeOf(bytes)).toBe('image-corrupt');
  });

  test('100,000 blocks is decoded as one stream, in which the lie shows', async () => {
    const blocks = new Uint8Array(100_000 * 8);
    const records = Array.from({ length: 100_000 }, () => [8n, 1n] as const);
    const bytes = xzWith(blocks, records);
    expect(planDecode(memoryImage(bytes)).segments).toHaveLength(1);
    expect(await failureCodeOf(bytes)).toBe('image-corrupt');
  });
});

test('an index over 16 MiB is not read ahead, nor are its bytes held', () => {
  const header = Uint8Array.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46]);
  const footer = new Uint8Array(12);
  viewOf(footer).setUint32(4, 2 ** 30, true);
  footer.set([0, 4, 0x59, 0x5a], 8);
  viewOf(footer).setUint32(0, crc32(footer.subarray(4, 10)), true);
  let most = 0;
  const size = 2 ** 40;
  const file: ImageFile = {
    path: 'large',
    size,
    read(target, position) {
      most = Math.max(most, target.length);
      target.fill(0);
      if (position === 0) target.set(header.subarray(0, target.length));
      if (position + target.length >= size) target.set(footer, size - 12 - position);
      return Math.min(target.length, size - position);
    },
  };
  expect(planDecode(file)).toMatchObject({ size: null, segments: [{ outputSize: null }] });
  expect(most).toBeLessThanOrEqual(2 ** 20);
});

test('blocks that are large, or empty, are no segments of their own', () => {
  const large = xzWith(new Uint8Array(64), [
    [32n, 65n * 2n ** 20n],
    [32n, 100n],
  ]);
  expect(planDecode(memoryImage(large)).segments).toHaveLength(1);
  const empty = xzWith(new Uint8Array(64), [
    [32n, 0n],
    [32n, 100n],
  ]);
  expect(planDecode(memoryImage(empty)).segments).toHaveLength(1);
});

describe('zstd', () => {
  const frame = filtered('zstd', ['-q', '-c', '--stream-size', String(image.length)], image);

  test('that claims another size than it has', async () => {
    expect(planDecode(memoryImage(frame)).size).toBe(image.length);
    const lie = frame.slice();
    viewOf(lie).setUint32(5, image.length - 1, true);
    expect(await failureCodeOf(lie)).toBe('image-corrupt');
  });

  test('that claims 2^60 bytes', async () => {
    const header = new Uint8Array(14);
    header.set([0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x58]);
    viewOf(header).setBigUint64(6, 2n ** 60n, true);
    const bytes = joined(header, Uint8Array.of(3, 0, 0, 0));
    expect(await failureCodeOf(bytes)).toBe('image-corrupt');
  });

  test('of a million empty blocks is planned and refused in time', async () => {
    const header = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
    const bytes = joined(header, new Uint8Array(3_600_000));
    expect(await failureCodeOf(bytes)).toBe('image-truncated');
  });

  test('with a dictionary', async () => {
    const bytes = joined(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 1, 0x58, 7), new Uint8Array(64));
    expect(await failureCodeOf(bytes)).toBe('image-unsupported');
  });
});

describe('a zip file', () => {
  const zip = zipped({ 'a.img': image });
  const directoryAt = viewOf(zip).getUint32(zip.length - 6, true);

  function changed(at: number, bytes: readonly number[]): Uint8Array {
    const copy = zip.slice();
    copy.set(bytes, at);
    return copy;
  }

  test('that promises another size', async () => {
    expect(await failureCodeOf(changed(directoryAt + 24, [1, 0, 0, 0]))).toBe('image-corrupt');
    const more = changed(directoryAt + 24, [0xff, 0xff, 0xff, 0x7f]);
    expect(await failureCodeOf(more)).toBe('image-corrupt');
  });

  test('that promises another checksum', async () => {
    expect(await failureCodeOf(changed(directoryAt + 16, [1, 2, 3, 4]))).toBe('image-corrupt');
  });

  test('whose entry lies in its own directory', async () => {
    expect(await failureCodeOf(changed(directoryAt + 20, [0xfe, 0xff, 0xff, 0]))).toBe(
      'image-corrupt',
    );
  });

  test('whose local header names another file', async () => {
    expect(await failureCodeOf(changed(30, [0x62]))).toBe('image-corrupt');
  });

  test('with nothing that could be an image', async () => {
    const notes = new TextEncoder().encode('notes');
    expect(await failureCodeOf(zipped({ 'readme.txt': notes, 'a.sha256': notes }))).toBe(
      'image-zip-empty',
    );
  });

  test('with two images names both, cleaned', async () => {
    const outcome = await outcomeOf(zipped({ 'a.img': image, 'b\u202e\u0007.img': image }));
    expect(outcome).toMatchObject({ code: 'image-zip-several', facts: { names: 'a.img, b .img' } });
  });

  test('with an image without ending', async () => {
    expect(await failureCodeOf(zipped({ card: image, 'notes.txt': image }))).toBe('decoded');
  });

  test('with a long comment that looks like an end record', async () => {
    const comment = joined(
      zip.slice(zip.length - 22, zip.length),
      new Uint8Array(40_000).fill(0x41),
    );
    const commented = joined(zip, comment);
    viewOf(commented).setUint16(zip.length - 2, comment.length, true);
    expect(await failureCodeOf(commented)).toBe('decoded');
  });
});
