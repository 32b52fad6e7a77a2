import { describe, expect, it } from 'vitest';
import type { DecodePlan } from '../../../src-image/ImageSource.ts';
import { ringLayout } from '../../../src-writer/engine/RingLayout.ts';

const MIB = 1 << 20;

function plan(blocks: readonly number[]): DecodePlan {
  let outputOffset = 0;
  const segments = blocks.map((outputSize, index) => {
    const segment = { index, outputOffset, outputSize, inputOffset: index, inputSize: 1 };
    outputOffset += outputSize;
    return segment;
  });
  const streamHeaders = blocks.map(() => '');
  return {
    format: 'xz',
    size: outputOffset,
    segments,
    details: { kind: 'xz-blocks', streamHeaders },
  };
}

describe('ringLayout', () => {
  it('gives every purpose slots of its own', () => {
    const layout = ringLayout(plan([24 * MIB, 24 * MIB, 24 * MIB]), 4, 2);
    const all = [0, 1, 2, ...layout.imageSlots, ...layout.cardSlots.flat()];
    expect(new Set(all).size).toBe(all.length);
    expect(Math.max(...all)).toBe(layout.slots - 1);
  });

  it('does not depend on the length of the image', () => {
    const short = ringLayout(plan(Array<number>(3).fill(24 * MIB)), 1, 2);
    const long = ringLayout(plan(Array<number>(300).fill(24 * MIB)), 1, 2);
    expect(long.slots).toBe(short.slots);
  });

  it('lets every card but one stall and still has slots for the last', () => {
    for (const cards of [1, 4, 8, 9, 32]) {
      const { imageSlots, depth } = ringLayout(plan([MIB]), cards, 2);
      expect(imageSlots.length - depth * (cards - 1)).toBeGreaterThanOrEqual(depth + 4);
    }
  });

  it('bounds the memory of many cores', () => {
    const layout = ringLayout(plan(Array<number>(64).fill(24 * MIB)), 1, 32);
    expect(layout.slots).toBeLessThanOrEqual(160);
    expect(layout.decoders).toBeGreaterThan(2);
  });
});
