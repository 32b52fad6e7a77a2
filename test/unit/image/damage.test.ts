import { describe, expect, test } from 'vitest';
import { planDecode } from '../../../src-image/DecodePlan.ts';
import { FailureError, failureOf } from '../../../src-core/Failure.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { decodeWhole, failureCodeOf, memoryImage, outcomeOf } from './DecodedImage.ts';
import { filtered, joined, makeSamples, sampleImage, type Sample } from './ImageSamples.ts';

const samples = makeSamples().filter(({ name }) => name !== 'raw');
const seed = 20_261_121;

/** What planning alone says, before anything is decoded. */
function planned(bytes: Uint8Array): string {
  try {
    planDecode(memoryImage(bytes));
    return 'planned';
  } catch (thrown) {
    if (thrown instanceof FailureError) return thrown.failure.code;
    throw thrown;
  }
}

/** Lengths at and next to both ends, and some in between. */
function cuts(bytes: Uint8Array, random: SeededRandom): readonly number[] {
  const { length } = bytes;
  const near = [1, 2, 3, 4, 5, 7, 8, 11, 12, 13, 16, 20, 22, 28, 32, 40];
  const within = Array.from({ length: 12 }, () => 1 + random.integer(length - 1));
  return [...near, ...near.map((last) => length - last), ...within];
}

describe.each(samples)('$name', ({ name, bytes, image }) => {
  test('cut anywhere, is never taken for whole', async () => {
    const random = new SeededRandom(seed);
    for (const length of cuts(bytes, random)) {
      const outcome = await outcomeOf(bytes.subarray(0, length));
      if (outcome instanceof Uint8Array) {
        // Only padding, or a skippable frame at the end, may be missing without a trace.
        expect(name, `cut to ${String(length)}`).toMatch(/padding|skippable/);
        expect(Buffer.compare(outcome, image)).toBe(0);
      } else {
        const where = `cut to ${String(length)} of ${String(bytes.length)}`;
        const expected = /^image-(truncated|not-recognised|trailing-garbage|empty)$/;
        expect(outcome.code, `${where}: ${JSON.stringify(outcome)}`).toMatch(expected);
      }
    }
  });

  test('followed by anything, is refused, with the place', async () => {
    const random = new SeededRandom(seed);
    for (const length of [1, 4, 512, 70_000]) {
      const garbage = random.bytes(length);
      garbage[0] = 0xa5;
      const outcome = await outcomeOf(joined(bytes, garbage));
      expect(outcome).toMatchObject({ code: 'image-trailing-garbage' });
    }
  });

  test('with one flipped bit, is refused or right', async () => {
    const random = new SeededRandom(seed);
    for (let round = 0; round < 40; round++) {
      const damaged = bytes.slice();
      const at = random.integer(bytes.length);
      const bit = 1 << random.integer(8);
      damaged[at] = (damaged[at] ?? 0) ^ bit;
      const outcome = await outcomeOf(damaged);
      const where = `seed ${String(seed)}, bit ${String(bit)} of byte ${String(at)}`;
      if (outcome instanceof Uint8Array) expect(Buffer.compare(outcome, image), where).toBe(0);
      else expect(outcome.code, where).toMatch(/^image-/);
    }
  });
});

describe('before anything is decoded', () => {
  const isIndexed = ({ name }: Sample): boolean => /^(xz|zip)/.test(name);

  test.each(samples.filter(isIndexed))('$name: a cut file is found', ({ name, bytes }) => {
    const missing = name.includes('padding') ? 8 : 1;
    expect(planned(bytes.subarray(0, -missing))).toBe('image-truncated');
    expect(planned(bytes.subarray(0, bytes.length / 2))).toBe('image-truncated');
  });

  test.each(samples.filter(({ name }) => name.includes('zstd')))(
    '$name: a cut file is found',
    ({ bytes }) => {
      expect(planned(bytes.subarray(0, -1))).toBe('image-truncated');
      expect(planned(bytes.subarray(0, bytes.length / 2))).toBe('image-truncated');
    },
  );

  test('garbage is found at its offset', () => {
    const garbage = new TextEncoder().encode('garbage!');
    for (const { name, bytes } of samples) {
      if (!/^(xz|zip|zstd|pzstd)/.test(name) || name.includes('padding')) continue;
      try {
        planDecode(memoryImage(joined(bytes, garbage)));
        throw new Error(`${name}: planned`);
      } catch (thrown) {
        expect(failureOf(thrown)).toMatchObject({
          code: 'image-trailing-garbage',
          facts: { offset: bytes.length },
        });
      }
    }
  });

  test('a download that was allocated but not finished is cut', async () => {
    const image = sampleImage(3 * 1024 * 1024);
    const bytes = filtered('xz', ['-T2', '--block-size=256KiB', '-c'], image);
    expect(planned(joined(bytes.subarray(0, 300_000), new Uint8Array(900_000)))).toBe(
      'image-truncated',
    );
    expect(await failureCodeOf(bytes.subarray(0, 300_000))).toBe('image-truncated');
  });
});

test('zero bytes are padding after gzip, and after xz in fours', async () => {
  const find = (name: string): Uint8Array =>
    samples.find((sample) => sample.name === name)?.bytes ?? new Uint8Array();
  expect(await failureCodeOf(joined(find('gzip'), new Uint8Array(5)))).toBe('decoded');
  const padded = joined(find('gzip'), new Uint8Array(5), Uint8Array.of(1));
  expect(await failureCodeOf(padded)).toBe('image-trailing-garbage');
  expect(await failureCodeOf(joined(find('xz, single block'), new Uint8Array(8)))).toBe('decoded');
  for (const format of ['xz, single block', 'zstd', 'bzip2', 'zip']) {
    const bytes = joined(find(format), new Uint8Array(5));
    expect(await failureCodeOf(bytes), format).toBe('image-trailing-garbage');
  }
});

test('random bytes are no image, whatever they begin with', async () => {
  const random = new SeededRandom(seed);
  const beginnings = samples.map(({ bytes }) => bytes.subarray(0, 12));
  for (let round = 0; round < 60; round++) {
    const bytes = random.bytes(random.integer(100_000) + 600);
    bytes.set(beginnings[round] ?? []);
    const code = await failureCodeOf(bytes);
    expect(code, `seed ${String(seed)}, round ${String(round)}`).toMatch(/^image-/);
  }
});

test('an empty image is no image in any format', async () => {
  const nothing = new Uint8Array();
  expect(await failureCodeOf(nothing)).toBe('image-empty');
  for (const program of ['gzip', 'zstd', 'xz', 'bzip2']) {
    expect(await failureCodeOf(filtered(program, ['-c'], nothing)), program).toBe('image-empty');
  }
});

test('a compressed file inside a compressed file is no image', async () => {
  const inner = filtered('gzip', ['-c'], sampleImage());
  expect(await failureCodeOf(filtered('xz', ['-c'], inner))).toBe('image-not-recognised');
});

test('a right file stays right beside all of this', async () => {
  for (const { bytes, image } of samples) {
    expect(Buffer.compare((await decodeWhole(bytes)).image, image)).toBe(0);
  }
});
