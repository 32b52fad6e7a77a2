import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { DecodePlan } from '../../../src-image/ImageSource.ts';
import type { EngineThread } from '../../../src-writer/engine/EngineThread.ts';
import type { FilledSlot } from '../../../src-writer/engine/ImageReader.ts';
import { SLOT_BYTES } from '../../../src-writer/engine/Ring.ts';
import { ringLayout } from '../../../src-writer/engine/RingLayout.ts';
import { decodeJobs, ThreadedReader } from '../../../src-writer/engine/ThreadedReader.ts';
import type { DecodeCommand, DecodeReply } from '../../../src-writer/engine/ThreadMessages.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';

/** Stands for a decode thread: fills the slots it is given, as fast or slow as chance has it. */
class FakeThread extends EventEmitter implements EngineThread<DecodeCommand, DecodeReply> {
  readonly #plan: DecodePlan;
  readonly #random: SeededRandom;
  #slots: number[] = [];
  #wake: (() => void) | null = null;
  #ended = false;

  constructor(plan: DecodePlan, random: SeededRandom) {
    super();
    this.#plan = plan;
    this.#random = random;
  }

  postMessage(command: DecodeCommand): void {
    if (command.type === 'decode') {
      void this.#decode(command);
      return;
    }
    this.#slots.push(command.slot);
    this.#wake?.();
  }

  terminate(): Promise<unknown> {
    this.#ended = true;
    return Promise.resolve();
  }

  async #decode({ job, first, last }: Extract<DecodeCommand, { type: 'decode' }>): Promise<void> {
    const segments = this.#plan.segments.slice(first, last + 1);
    let offset = segments[0]?.outputOffset ?? 0;
    const end = offset + segments.reduce((sum, { outputSize }) => sum + (outputSize ?? 0), 0);
    while (offset < end && !this.#ended) {
      for (let turns = this.#random.integer(4); turns > 0; turns -= 1) await setImmediate();
      const slot = await this.#slot();
      const length = Math.min(SLOT_BYTES, end - offset);
      this.emit('message', {
        type: 'filled',
        filled: { slot, offset, length, inputConsumed: offset },
      } satisfies DecodeReply);
      offset += length;
    }
    this.emit('message', { type: 'done', job, end } satisfies DecodeReply);
  }

  async #slot(): Promise<number> {
    for (;;) {
      const slot = this.#slots.shift();
      if (slot !== undefined) return slot;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** Blocks of one to six slots, the last of any length. */
function randomPlan(random: SeededRandom): DecodePlan {
  const blockSlots = 1 + random.integer(6);
  const blocks = Array<number>(1 + random.integer(24)).fill(blockSlots * SLOT_BYTES);
  blocks[blocks.length - 1] = 1 + random.integer(blockSlots * SLOT_BYTES);
  return xzPlan(blocks);
}

function xzPlan(blocks: readonly number[]): DecodePlan {
  let outputOffset = 0;
  const segments = blocks.map((outputSize, index) => {
    const segment = { index, outputOffset, outputSize, inputOffset: index, inputSize: 1 };
    outputOffset += outputSize;
    return segment;
  });
  const details = { kind: 'xz-blocks', streamHeaders: blocks.map(() => '') } as const;
  return { format: 'xz', size: outputOffset, segments, details };
}

/** Turns of the event loop without a slot after which nothing will ever come. */
const LOCKED_UP = 2_000;

interface Consumption {
  readonly reader: ThreadedReader;
  readonly random: SeededRandom;
  /** Slots that are never given back. */
  readonly kept: number;
  /** Said where it fails. */
  readonly context: string;
}

/** Takes the whole image, gives most slots back sooner or later, and returns its size in bytes. */
async function consume({ reader, random, kept, context }: Consumption): Promise<number> {
  const inUse = new Set<number>();
  let left = kept;
  let position = 0;
  for (;;) {
    const filled = await nextOf(reader, context);
    if (filled === null) return position;
    expect(filled.offset, context).toBe(position);
    expect(inUse.has(filled.slot), context).toBe(false);
    inUse.add(filled.slot);
    position += filled.length;
    const release = (): void => {
      inUse.delete(filled.slot);
      reader.release(filled.slot);
    };
    const fate = random.integer(3);
    if (fate === 0 && left > 0) left -= 1;
    else if (fate === 1) release();
    else void setImmediate().then(release);
  }
}

/** The next slot; fails where it does not come. */
async function nextOf(reader: ThreadedReader, context: string): Promise<FilledSlot | null> {
  let isDone = false;
  const next = reader.next().finally(() => (isDone = true));
  for (let turn = 0; turn < LOCKED_UP; turn += 1) {
    await setImmediate();
    // Turned by the promise above while this function waited.
    if (isDone as boolean) return next;
  }
  throw new Error(`locked up: ${context}`);
}

describe('ThreadedReader', () => {
  it('never locks up on the slots of a layout, though all cards but one stall', async () => {
    const seed = Number(process.env['BOXWRIGHT_READER_SEED'] ?? 20261121);
    for (let run = 0; run < 400; run += 1) {
      const random = new SeededRandom(seed + run);
      const plan = randomPlan(random);
      const cards = 1 + random.integer(12);
      const layout = ringLayout(plan, cards, 1 + random.integer(16));
      const { imageSlots, aheadSlots, decoders, depth } = layout;
      const threads = Array.from({ length: decoders }, () => new FakeThread(plan, random));
      const reader = new ThreadedReader('x', plan, threads, imageSlots, aheadSlots);
      const kept = depth * (cards - 1);
      const context = `seed ${String(seed + run)}, ${String(cards)} cards, ${JSON.stringify(layout)}`;
      expect(await consume({ reader, random, kept, context })).toBe(plan.size);
      await reader.close();
    }
  });

  it('never locks up on very few slots, however many may be ahead', async () => {
    const seed = 20261122;
    for (let run = 0; run < 400; run += 1) {
      const random = new SeededRandom(seed + run);
      const plan = randomPlan(random);
      const count = 1 + random.integer(4);
      const threads = Array.from({ length: count }, () => new FakeThread(plan, random));
      const aheadSlots = random.integer(6);
      // What a thread has in hand when it turns to a later job counts as ahead, but is not asked back.
      const slots = aheadSlots + 2 * threads.length + 1;
      const reader = new ThreadedReader('x', plan, threads, [...Array(slots).keys()], aheadSlots);
      const context = `seed ${String(seed + run)}`;
      expect(await consume({ reader, random, kept: 0, context })).toBe(plan.size);
      await reader.close();
    }
  });

  it('fails when less came out than was promised', async () => {
    const plan = { ...xzPlan([SLOT_BYTES]), size: SLOT_BYTES + 1 };
    const thread = new FakeThread(plan, new SeededRandom(1));
    const reader = new ThreadedReader('x.xz', plan, [thread], [0, 1, 2, 3], 0);
    await expect(drain(reader)).rejects.toMatchObject({ failure: { code: 'image-corrupt' } });
  });

  it('fails with what a thread failed with, and with a thread that died', async () => {
    const plan = xzPlan([SLOT_BYTES * 4]);
    for (const [event, payload, code] of [
      [
        'message',
        { type: 'failed', failure: { code: 'image-truncated', facts: {} } },
        'image-truncated',
      ],
      ['error', new Error('out of memory'), 'internal'],
    ] as const) {
      const thread = new FakeThread(plan, new SeededRandom(2));
      const reader = new ThreadedReader('x.xz', plan, [thread], [0, 1], 0);
      const reading = drain(reader);
      thread.emit(event, payload);
      await expect(reading).rejects.toMatchObject({ failure: { code } });
    }
  });

  it('has one job where blocks do not begin on slots', () => {
    expect(decodeJobs(xzPlan([5000, 5000]))).toEqual([{ first: 0, last: 1 }]);
  });
});

async function drain(reader: ThreadedReader): Promise<void> {
  for (;;) {
    const filled = await reader.next();
    if (filled === null) return;
    reader.release(filled.slot);
  }
}
