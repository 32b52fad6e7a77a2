import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { planDecode } from '../../../src-image/DecodePlan.ts';
import { decodeSegment } from '../../../src-image/decodeSegment.ts';
import type { DecodedChunkSink } from '../../../src-image/ImageSource.ts';
import { memoryImage } from './DecodedImage.ts';
import { filtered, sampleImage, zipped } from './ImageSamples.ts';

const MIB = 1 << 20;
/** Turns of the event loop that a late sink takes for a chunk: many more than a decoder needs to end. */
const LATE_TURNS = 40;

/** Less than a chunk, whole chunks, and a little more than one. */
const sizes = [300_000, 2 * MIB, 2 * MIB + 4096];

const encodings = [
  ['gzip', (image: Uint8Array) => filtered('gzip', ['-c'], image)],
  ['zstd', (image: Uint8Array) => filtered('zstd', ['-q', '-c'], image)],
  ['zip', (image: Uint8Array) => zipped({ 'card.img': image })],
  ['zip, stored', (image: Uint8Array) => zipped({ 'card.img': image }, '-0')],
  ['xz', (image: Uint8Array) => filtered('xz', ['-1', '-c'], image)],
  ['bzip2', (image: Uint8Array) => filtered('bzip2', ['-c'], image)],
] as const;

async function decode(bytes: Uint8Array, sink: DecodedChunkSink): Promise<void> {
  const file = memoryImage(bytes);
  const plan = planDecode(file);
  for (const segment of plan.segments) await decodeSegment(file, plan, segment, sink);
}

async function late(): Promise<void> {
  for (let turn = 0; turn < LATE_TURNS; turn += 1) await setImmediate();
}

describe.each(encodings)('%s into a sink that takes its time', (_, encode) => {
  it.each(sizes)('has every one of %i bytes taken before it is done', async (size) => {
    const image = sampleImage(size);
    const taken: Uint8Array[] = [];
    let isBusy = false;
    await decode(encode(image), async (chunk) => {
      if (isBusy) throw new Error('a chunk came before the one before it was taken');
      isBusy = true;
      await late();
      // Looked at only now: the chunk must be valid until the sink is done with it.
      taken.push(Uint8Array.from(chunk));
      isBusy = false;
    });
    expect(isBusy).toBe(false);
    expect(Buffer.compare(Buffer.concat(taken), image)).toBe(0);
  });

  it('fails with the sink where that fails late with the last chunk', async () => {
    const image = sampleImage(300_000);
    let taken = 0;
    const decoding = decode(encode(image), async (chunk) => {
      await late();
      taken += chunk.length;
      if (taken === image.length) throw new Error('no room');
    });
    await expect(decoding).rejects.toThrow('no room');
  });
});
