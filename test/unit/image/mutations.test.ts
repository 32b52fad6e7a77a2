import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { outcomeOf } from './DecodedImage.ts';
import { joined, makeSamples } from './ImageSamples.ts';

const rounds = 90;
const samples = makeSamples().filter(({ name }) => name !== 'raw');

/** Changes a file as broken media, broken programs and hostile people do. */
function mutated(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const from = random.integer(bytes.length);
  const to = Math.min(bytes.length, from + 1 + random.integer(random.integer(2) === 0 ? 8 : 5000));
  const before = bytes.subarray(0, from);
  const piece = bytes.subarray(from, to);
  const after = bytes.subarray(to);
  switch (random.integer(8)) {
    case 0:
      return joined(before, random.bytes(piece.length), after);
    case 1:
      return joined(before, new Uint8Array(piece.length), after);
    case 2:
      return joined(before, new Uint8Array(piece.length).fill(0xff), after);
    case 3:
      return joined(before, after);
    case 4:
      return joined(before, piece, piece, after);
    case 5:
      return joined(before, random.bytes(piece.length), piece, after);
    case 6:
      return joined(before, piece.toReversed(), after);
    default:
      return nearAnEnd(bytes, random);
  }
}

/** Headers, indexes and directories lie at the ends: most decisions are made there. */
function nearAnEnd(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const changed = bytes.slice();
  for (let times = 1 + random.integer(3); times > 0; times--) {
    const distance = random.integer(64);
    const at = random.integer(2) === 0 ? distance : bytes.length - 1 - distance;
    changed[at] = random.integer(256);
  }
  return changed;
}

describe.each(samples.map((sample, index) => ({ ...sample, seed: 1000 + index })))(
  '$name, seed $seed',
  ({ bytes, image, seed }) => {
    test(`${String(rounds)} mutations: the right bytes or a failure of the image`, async () => {
      const random = new SeededRandom(seed);
      for (let round = 0; round < rounds; round++) {
        const outcome = await outcomeOf(mutated(bytes, random));
        const where = `seed ${String(seed)}, round ${String(round)}`;
        if (outcome instanceof Uint8Array) expect(Buffer.compare(outcome, image), where).toBe(0);
        else expect(outcome.code, where).toMatch(/^image-/);
      }
    });
  },
);

test('at least 2,000 mutations were tried', () => {
  expect(samples.length * rounds).toBeGreaterThanOrEqual(2000);
});
