import { failureOf, FailureError } from '../../src-core/Failure.ts';
import { decodeSegment } from '../../src-image/decodeSegment.ts';
import type { DecodePlan, ImageFile } from '../../src-image/ImageSource.ts';
import { FilledQueue } from '../../src-writer/engine/ImageReader.ts';
import type { FilledSlot, ImageReader } from '../../src-writer/engine/ImageReader.ts';
import type { Ring } from '../../src-writer/engine/Ring.ts';
import { SlotPool } from '../../src-writer/engine/Ring.ts';
import { SlotFiller } from '../../src-writer/engine/SlotFiller.ts';
import type { FakeClock } from './FakeClock.ts';

/** What a slot holds when nobody may count on what it holds. */
const GARBAGE = 0xee;

/**
 * Decodes an image on this thread. A slot that is free is filled with garbage, so that whoever still
 * reads it, or counts on zeros that nobody wrote, is found out.
 */
export class InlineReader implements ImageReader {
  readonly #ring: Ring;
  readonly #pool: SlotPool;
  readonly #clock: FakeClock;
  readonly #queue = new FilledQueue();
  readonly #held = new Set<number>();
  #releasedTwice = 0;

  constructor(
    file: ImageFile,
    plan: DecodePlan,
    ring: Ring,
    slots: readonly number[],
    clock: FakeClock,
  ) {
    this.#ring = ring;
    this.#pool = new SlotPool(slots);
    this.#clock = clock;
    void this.#decode(file, plan);
  }

  next(): Promise<FilledSlot | null> {
    return this.#queue.next();
  }

  release(slot: number): void {
    if (!this.#held.delete(slot)) this.#releasedTwice += 1;
    this.#ring.view(slot).fill(GARBAGE);
    this.#pool.give(slot);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Slots that were handed out and not given back. */
  get held(): number {
    return this.#held.size;
  }

  get releasedTwice(): number {
    return this.#releasedTwice;
  }

  async #decode(file: ImageFile, plan: DecodePlan): Promise<void> {
    this.#clock.busy += 1;
    try {
      const filler = this.#filler();
      for (const segment of plan.segments) {
        await decodeSegment(file, plan, segment, (chunk, consumed) =>
          filler.push(chunk, segment.inputOffset + consumed),
        );
      }
      this.#queue.finish(filler.finish(file.size));
    } catch (thrown) {
      this.#queue.fail(new FailureError(failureOf(thrown)));
    } finally {
      this.#clock.busy -= 1;
    }
  }

  #filler(): SlotFiller {
    return new SlotFiller(
      {
        take: () => this.#take(),
        view: (slot) => this.#ring.view(slot),
        filled: (filled) => {
          this.#queue.push(filled);
        },
      },
      0,
    );
  }

  /** Waiting for a slot is waiting for the cards: time may pass. */
  async #take(): Promise<number> {
    this.#clock.busy -= 1;
    const slot = await this.#pool.take();
    this.#clock.busy += 1;
    this.#ring.view(slot).fill(GARBAGE);
    this.#held.add(slot);
    return slot;
  }
}
