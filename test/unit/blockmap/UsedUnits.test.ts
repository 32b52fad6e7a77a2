import { describe, expect, it } from 'vitest';
import { UsedUnits } from '../../../src-image/blockmap/UsedUnits.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { expectShape } from './MappedCopy.ts';

const mebibyte = 1024 * 1024;

describe('UsedUnits', () => {
  it('rounds used bytes outwards and free bytes inwards', () => {
    const units = new UsedUnits({ bridge: 0 });
    units.begin(mebibyte, mebibyte, false);
    units.markUsed(mebibyte + 4095, mebibyte + 4097);
    units.markUsed(mebibyte + 40_960, mebibyte + 40_961);
    expect(units.ranges()).toEqual([
      { start: mebibyte, end: mebibyte + 8192 },
      { start: mebibyte + 40_960, end: mebibyte + 45_056 },
    ]);
    units.begin(2 * mebibyte, mebibyte, true);
    units.markFree(2 * mebibyte + 1, 2 * mebibyte + 12_287);
    expect(units.ranges()).toEqual([
      { start: 2 * mebibyte, end: 2 * mebibyte + 4096 },
      { start: 2 * mebibyte + 8192, end: 3 * mebibyte },
    ]);
  });

  it('ends a range at the end of an image that is no multiple of 4096', () => {
    const units = new UsedUnits();
    units.begin(mebibyte, 5000, false);
    units.markUsed(mebibyte + 4999, mebibyte + 99_999);
    expect(units.ranges()).toEqual([{ start: mebibyte + 4096, end: mebibyte + 5000 }]);
    units.begin(mebibyte, 5000, true);
    units.markFree(0, mebibyte + 5000);
    expect(units.ranges()).toEqual([]);
  });

  it('counts the first MiB as used', () => {
    const units = new UsedUnits();
    units.begin(0, 2 * mebibyte, false);
    expect(units.ranges()).toEqual([{ start: 0, end: mebibyte }]);
  });

  it('bridges gaps below the limit, as long as the budget allows', () => {
    const units = new UsedUnits({ bridge: 16_384, budget: 0.0077 });
    units.begin(mebibyte, 2 * mebibyte, true);
    units.markFree(2 * mebibyte, 2 * mebibyte + 8192);
    units.markFree(2 * mebibyte + 65_536, 2 * mebibyte + 65_536 + 8192);
    expect(units.ranges()).toEqual([
      { start: mebibyte, end: 2 * mebibyte + 65_536 },
      { start: 2 * mebibyte + 73_728, end: 3 * mebibyte },
    ]);
    units.begin(3 * mebibyte, 200 * mebibyte, true);
    units.markFree(100 * mebibyte, 100 * mebibyte + 16_384);
    units.markFree(101 * mebibyte, 101 * mebibyte + 12_288);
    expect(units.ranges()).toEqual([
      { start: 3 * mebibyte, end: 100 * mebibyte },
      { start: 100 * mebibyte + 16_384, end: 203 * mebibyte },
    ]);
  });

  it('never writes more than 2 % beyond what is used (seed 5)', () => {
    const random = new SeededRandom(5);
    const units = new UsedUnits();
    let used = 0;
    let written = 0;
    for (let offset = 0; offset < 200 * mebibyte; offset += mebibyte) {
      units.begin(offset, mebibyte, false);
      const marked = new Set<number>();
      for (let index = 0; index < 256; index++) {
        if (offset > 0 && random.integer(4) !== 0) continue;
        marked.add(index);
        units.markUsed(offset + index * 4096, offset + (index + 1) * 4096);
      }
      const ranges = units.ranges();
      expectShape(ranges, offset, mebibyte);
      used += marked.size * 4096;
      written += ranges.reduce((sum, { start, end }) => sum + end - start, 0);
      for (const index of marked) {
        const at = offset + index * 4096;
        expect(ranges.some(({ start, end }) => start <= at && at + 4096 <= end)).toBe(true);
      }
    }
    expect(written).toBeGreaterThan(used);
    expect(written / used).toBeLessThanOrEqual(1.02);
  });
});
