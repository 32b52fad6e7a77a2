import { fail, FailureError } from '../../src-core/Failure.ts';
import { FilledQueue } from './ImageReader.ts';
import type { FilledSlot, ImageReader } from './ImageReader.ts';
import type { Ring } from './Ring.ts';
import { SLOT_BYTES, SlotPool } from './Ring.ts';

/**
 * Reads under way at a time: one more than a fast disk needs, and fewer than the engine has threads,
 * so that a share that does not answer never keeps the cards from being written.
 */
const IN_FLIGHT = 2;

export interface RawFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Fills `target` from `position`; resolves with the bytes read. */
  readInto(target: Uint8Array, position: number): Promise<number>;
}

/** Reads an image that is not compressed straight into the ring. */
export class RawReader implements ImageReader {
  readonly #file: RawFile;
  readonly #ring: Ring;
  readonly #pool: SlotPool;
  readonly #queue = new FilledQueue();
  #position = 0;
  #closed = false;

  constructor(file: RawFile, ring: Ring, slots: readonly number[]) {
    this.#file = file;
    this.#ring = ring;
    this.#pool = new SlotPool(slots);
    for (let reader = 0; reader < IN_FLIGHT; reader += 1) void this.#read();
    this.#queue.finish(file.size);
  }

  next(): Promise<FilledSlot | null> {
    return this.#queue.next();
  }

  release(slot: number): void {
    this.#pool.give(slot);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  async #read(): Promise<void> {
    while (!this.#closed && this.#position < this.#file.size) {
      const offset = this.#position;
      const length = Math.min(SLOT_BYTES, this.#file.size - offset);
      this.#position += length;
      const slot = await this.#pool.take();
      try {
        const bytes = this.#ring.view(slot);
        const got = await this.#file.readInto(bytes.subarray(0, length), offset);
        if (got !== length) throw fail('image-truncated', { path: this.#file.path, format: 'raw' });
        bytes.fill(0, length);
        this.#queue.push({ slot, offset, length, inputConsumed: offset + length });
      } catch (thrown) {
        this.#queue.fail(
          thrown instanceof FailureError
            ? thrown
            : fail('image-unreadable', { path: this.#file.path, cause: String(thrown) }),
        );
        return;
      }
    }
  }
}
