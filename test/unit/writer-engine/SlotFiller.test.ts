import { describe, expect, it } from 'vitest';
import type { FilledSlot } from '../../../src-writer/engine/ImageReader.ts';
import { SLOT_BYTES, SlotPool } from '../../../src-writer/engine/Ring.ts';
import { SlotFiller } from '../../../src-writer/engine/SlotFiller.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';

const GARBAGE = 0xee;

/** Slots full of what somebody else left there. */
function setUp(slots: number): {
  filler: SlotFiller;
  pool: SlotPool;
  filled: FilledSlot[];
  bytesOf: (slot: number) => Uint8Array;
} {
  const memory = Array.from({ length: slots }, () => new Uint8Array(SLOT_BYTES).fill(GARBAGE));
  const bytesOf = (slot: number): Uint8Array => memory[slot] ?? new Uint8Array(0);
  const pool = new SlotPool([...memory.keys()]);
  const filled: FilledSlot[] = [];
  const filler = new SlotFiller(
    {
      take: () => pool.take(),
      view: bytesOf,
      filled: (slot) => filled.push(slot),
    },
    0,
  );
  return { filler, pool, filled, bytesOf };
}

describe('SlotFiller', () => {
  it('copies nothing that was decoded into its own memory', async () => {
    const { filler, filled, bytesOf } = setUp(3);
    const image = new SeededRandom(4712).bytes(2 * SLOT_BYTES + 700);
    for (let at = 0; at < image.length;) {
      const room = await filler.room();
      const chunk = room.subarray(0, Math.min(300_000, image.length - at));
      chunk.set(image.subarray(at, at + chunk.length));
      at += chunk.length;
      await filler.push(chunk, at);
    }
    expect(filler.finish(image.length)).toBe(image.length);
    const pieces = filled.map(({ slot, length }) => bytesOf(slot).subarray(0, length));
    expect(Buffer.compare(Buffer.concat(pieces), image)).toBe(0);
  });

  it('takes bytes from elsewhere after it was asked for room', async () => {
    const { filler, filled, bytesOf } = setUp(1);
    await filler.room();
    await filler.push(Uint8Array.of(1, 2, 3), 3);
    expect(filler.finish(3)).toBe(3);
    expect([...bytesOf(filled[0]?.slot ?? NaN).subarray(0, 4)]).toEqual([1, 2, 3, 0]);
  });

  it('hands on no empty slot when nothing came after it was asked for room', async () => {
    const { filler, filled } = setUp(2);
    await filler.push(new Uint8Array(SLOT_BYTES), 5);
    await filler.room();
    expect(filler.finish(5)).toBe(SLOT_BYTES);
    expect(filled).toHaveLength(1);
  });

  it('cuts chunks of any size into slots', async () => {
    const seed = 4711;
    const random = new SeededRandom(seed);
    for (let run = 0; run < 20; run += 1) {
      const { filler, filled, bytesOf } = setUp(5);
      const image = random.bytes(random.integer(5 * SLOT_BYTES));
      for (let at = 0; at < image.length;) {
        const length = 1 + random.integer(2 * SLOT_BYTES);
        await filler.push(image.subarray(at, at + length), at + length);
        at += length;
      }
      const where = `seed ${String(seed)} run ${String(run)}`;
      expect(filler.finish(image.length), where).toBe(image.length);
      const pieces = filled.map(({ slot, length }) => bytesOf(slot).subarray(0, length));
      expect(Buffer.compare(Buffer.concat(pieces), image), where).toBe(0);
      for (const [index, { offset }] of filled.entries()) {
        expect(offset, where).toBe(index * SLOT_BYTES);
      }
    }
  });

  it.each([
    [1, 4096],
    [4095, 4096],
    [4096, 4096],
    [4097, 8192],
  ])('pads a last slot of %i bytes with zeros up to %i', async (length, padded) => {
    const { filler, filled, bytesOf } = setUp(1);
    await filler.push(new Uint8Array(length).fill(7), length);
    filler.finish(length);
    const [last] = filled;
    expect(last?.length).toBe(length);
    const bytes = bytesOf(last?.slot ?? -1);
    expect(bytes.subarray(0, length).every((byte) => byte === 7)).toBe(true);
    expect(bytes.subarray(length, padded).every((byte) => byte === 0)).toBe(true);
  });

  it('refuses to finish while a chunk waits for a slot', async () => {
    const { filler, pool } = setUp(1);
    const pushing = filler.push(new Uint8Array(SLOT_BYTES + 1), 1);
    await Promise.resolve();
    expect(() => filler.finish(1)).toThrow('before its last chunk was taken');
    pool.give(0);
    await pushing;
    expect(filler.finish(1)).toBe(SLOT_BYTES + 1);
  });

  it('refuses a chunk while the one before it waits for a slot', async () => {
    const { filler } = setUp(1);
    void filler.push(new Uint8Array(SLOT_BYTES + 1), 1);
    await expect(filler.push(new Uint8Array(1), 2)).rejects.toThrow('before it was taken');
  });
});
