import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { DecodePlan } from '../../../src-image/ImageSource.ts';
import type { EngineThread } from '../../../src-writer/engine/EngineThread.ts';
import { SLOT_BYTES } from '../../../src-writer/engine/Ring.ts';
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

describe('ThreadedReader', () => {
  it('gives slots in image order and never locks up, however few there are', async () => {
    const seed = 20261121;
    const random = new SeededRandom(seed);
    for (let run = 0; run < 300; run += 1) {
      const blockSlots = 1 + random.integer(6);
      const blocks = Array<number>(1 + random.integer(8)).fill(blockSlots * SLOT_BYTES);
      blocks[blocks.length - 1] = 1 + random.integer(blockSlots * SLOT_BYTES);
      const plan = xzPlan(blocks);
      const threads = Array.from(
        { length: 1 + random.integer(4) },
        () => new FakeThread(plan, random),
      );
      // Fewer than a block for each thread, and not even enough for what each keeps in hand.
      const count = 2 * threads.length + 4 + random.integer(4);
      const reader = new ThreadedReader('x', plan, threads, [...Array(count).keys()]);
      const inUse = new Set<number>();
      let position = 0;
      for (;;) {
        const filled = await reader.next();
        if (filled === null) break;
        expect(filled.offset, `seed ${String(seed)} run ${String(run)}`).toBe(position);
        expect(inUse.has(filled.slot)).toBe(false);
        inUse.add(filled.slot);
        position += filled.length;
        const release = (): void => {
          inUse.delete(filled.slot);
          reader.release(filled.slot);
        };
        if (random.integer(2) === 0) release();
        else void setImmediate().then(release);
      }
      expect(position).toBe(plan.size);
      await reader.close();
    }
  });

  it('fails when less came out than was promised', async () => {
    const plan = { ...xzPlan([SLOT_BYTES]), size: SLOT_BYTES + 1 };
    const thread = new FakeThread(plan, new SeededRandom(1));
    const reader = new ThreadedReader('x.xz', plan, [thread], [0, 1, 2, 3]);
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
      const reader = new ThreadedReader('x.xz', plan, [thread], [0, 1]);
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
