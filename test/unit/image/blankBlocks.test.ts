import { expect, test } from 'vitest';
import { planDecode } from '../../../src-image/DecodePlan.ts';
import { decodeWhole, memoryImage, outcomeOf } from './DecodedImage.ts';
import { filtered, sampleImage } from './ImageSamples.ts';

const blockBytes = 64 * 1024;

/** Blocks of data and of zeros in turn, and a last, shorter one of zeros. */
function spacedImage(): Uint8Array {
  const image = sampleImage(10 * blockBytes + 5000);
  for (const block of [2, 3, 5, 7, 8]) image.fill(0, block * blockBytes, (block + 1) * blockBytes);
  image.fill(0, 10 * blockBytes);
  return image;
}

const image = spacedImage();

test.each(['crc64', 'crc32', 'sha256', 'none'])(
  'empty blocks of xz between others, with %s',
  async (check) => {
    const args = ['-T1', `--check=${check}`, `--block-size=${String(blockBytes)}`, '-c'];
    const bytes = filtered('xz', args, image);
    expect(planDecode(memoryImage(bytes)).segments.length).toBe(11);
    expect(Buffer.compare((await decodeWhole(bytes)).image, image)).toBe(0);
  },
);

test('a damaged byte in any empty block after the first is seen', async () => {
  const bytes = filtered('xz', ['-T1', `--block-size=${String(blockBytes)}`, '-c'], image);
  const { segments } = planDecode(memoryImage(bytes));
  for (const block of [3, 5, 8, 10]) {
    const { inputOffset, inputSize } = segments[block] ?? { inputOffset: 0, inputSize: 0 };
    for (let at = inputOffset; at < inputOffset + inputSize; at += 1) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      const outcome = await outcomeOf(damaged);
      expect(outcome, `byte ${String(at)}`).toMatchObject({ code: 'image-corrupt' });
    }
  }
});

test('an empty block with a check of its own kind is not taken for one of another stream', async () => {
  const args = ['-T1', `--block-size=${String(blockBytes)}`, '-c'];
  const [first, second] = ['crc64', 'crc32'].map((check) =>
    filtered('xz', [`--check=${check}`, ...args], image),
  );
  if (first === undefined || second === undefined) throw new Error('xz made nothing');
  const joined = new Uint8Array(Buffer.concat([first, second]));
  const twice = Buffer.concat([image, image]);
  expect(Buffer.compare((await decodeWhole(joined)).image, twice)).toBe(0);
});
