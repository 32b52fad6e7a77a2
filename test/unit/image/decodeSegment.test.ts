import { describe, expect, test } from 'vitest';
import { planDecode } from '../../../src-image/DecodePlan.ts';
import { decodeSegment } from '../../../src-image/decodeSegment.ts';
import { readImageHead } from '../../../src-image/ImageHead.ts';
import { decodeWhole, memoryImage, outcomeOf } from './DecodedImage.ts';
import { filtered, joined, makeSamples, sampleImage, zipped } from './ImageSamples.ts';

const samples = makeSamples();
const sizeUnknown = /^(gzip|pigz|bzip2|pzstd|zstd|zip from a pipe)/;

describe.each(samples)('$name', ({ name, bytes, image }) => {
  test('decodes to the image, byte for byte', async () => {
    const { plan, image: decoded } = await decodeWhole(bytes);
    expect(Buffer.compare(decoded, image)).toBe(0);
    if (!sizeUnknown.test(name)) expect(plan.size).toBe(image.length);
  });

  test('gives its head without decoding on', async () => {
    const file = memoryImage(bytes);
    const head = await readImageHead(file, planDecode(file));
    expect(Buffer.compare(head, image.subarray(0, 65536))).toBe(0);
  });

  test('passes on what the sink throws', async () => {
    const file = memoryImage(bytes);
    const plan = planDecode(file);
    const [segment] = plan.segments;
    if (segment === undefined) throw new Error('no segment');
    const stop = new Error('enough');
    const decoding = decodeSegment(file, plan, segment, () => Promise.reject(stop));
    await expect(decoding).rejects.toBe(stop);
    expect((await decodeWhole(bytes)).image).toHaveLength(image.length);
  });
});

test('every chunk waits until the one before it was taken', async () => {
  const image = sampleImage(6 * 1024 * 1024);
  for (const bytes of [
    image,
    filtered('gzip', ['-1', '-c'], image),
    filtered('zstd', ['-q', '-c'], image),
    filtered('xz', ['-0', '-T1', '-c'], image),
    filtered('bzip2', ['-1', '-c'], image),
    zipped({ 'a.img': image }, '-0'),
  ]) {
    const file = memoryImage(bytes);
    const plan = planDecode(file);
    let inside = 0;
    let calls = 0;
    for (const segment of plan.segments) {
      await decodeSegment(file, plan, segment, async (chunk) => {
        const first = chunk[0];
        expect(++inside).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        expect(chunk[0]).toBe(first);
        inside--;
        calls++;
      });
    }
    expect(calls).toBeGreaterThan(1);
  }
});

test('several decodings on one thread do not disturb each other', async () => {
  const decoded = await Promise.all(samples.map(({ bytes }) => decodeWhole(bytes)));
  decoded.forEach(({ image }, index) => {
    expect(Buffer.compare(image, samples[index]?.image ?? new Uint8Array())).toBe(0);
  });
});

test('blocks of xz can be decoded in any order', async () => {
  const sample = samples.find(({ name }) => name === 'xz -T2 --block-size');
  if (sample === undefined) throw new Error('no sample');
  const file = memoryImage(sample.bytes);
  const plan = planDecode(file);
  expect(plan.details.kind).toBe('xz-blocks');
  expect(plan.segments).toHaveLength(5);
  const image = new Uint8Array(sample.image.length);
  for (const segment of plan.segments.toReversed()) {
    let at = segment.outputOffset;
    await decodeSegment(file, plan, segment, (chunk) => {
      image.set(chunk, at);
      at += chunk.length;
    });
    expect(at).toBe(segment.outputOffset + (segment.outputSize ?? NaN));
  }
  expect(Buffer.compare(image, sample.image)).toBe(0);
});

test('a block of xz whose index record lies is found out', async () => {
  const sample = samples.find(({ name }) => name === 'xz -T2 --block-size');
  const file = memoryImage(sample?.bytes ?? new Uint8Array());
  const plan = planDecode(file);
  const [segment] = plan.segments;
  if (segment === undefined) throw new Error('no segment');
  for (const change of [-1, 1, -4, 4]) {
    const smaller = { ...segment, outputSize: (segment.outputSize ?? 0) + change };
    const shorter = { ...segment, inputSize: segment.inputSize + change };
    for (const lie of [smaller, shorter]) {
      await expect(decodeSegment(file, plan, lie, () => undefined)).rejects.toMatchObject({
        failure: { code: expect.stringMatching(/^image-(corrupt|truncated)$/) as string },
      });
    }
  }
});

test('an unchecked xz file decodes too', async () => {
  const image = sampleImage();
  const bytes = filtered('xz', ['-T2', '--block-size=64KiB', '--check=none', '-c'], image);
  expect(Buffer.compare((await decodeWhole(bytes)).image, image)).toBe(0);
});

test('windows over 128 MiB, foreign filters and encrypted entries are named as unsupported', async () => {
  const image = sampleImage();
  const cases = [
    joined(Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff]), new Uint8Array(100)),
    zipped({ 'a.img': image }, '-P', 'secret'),
    zipped({ 'a.img': image }, '-Z', 'bzip2'),
  ];
  for (const sample of cases) {
    expect(await outcomeOf(sample)).toMatchObject({ code: 'image-unsupported' });
  }
});
