/** A slot of the ring that holds decompressed bytes of the image. */
export interface FilledSlot {
  readonly slot: number;
  /** Where in the image its bytes belong; a multiple of {@link SLOT_BYTES}. */
  readonly offset: number;
  /** Bytes, fewer than a slot only at the image's end; zeros follow up to the next 4 KiB. */
  readonly length: number;
  /** Bytes of the image file that were consumed to get here, for progress. */
  readonly inputConsumed: number;
}

/** The image as filled slots in order. The consumer gives every slot back. */
export interface ImageReader {
  /**
   * The next slot in image order, null at the end.
   * @throws FailureError image-*
   */
  next(): Promise<FilledSlot | null>;
  release(slot: number): void;
  close(): Promise<void>;
}

/** An order-restoring queue between those who fill slots and the one who consumes them. */
export class FilledQueue {
  readonly #filled = new Map<number, FilledSlot>();
  #nextOffset = 0;
  #end: number | null = null;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  push(filled: FilledSlot): void {
    this.#filled.set(filled.offset, filled);
    if (filled.offset === this.#nextOffset) this.#signal();
  }

  /** @param size bytes of the whole image */
  finish(size: number): void {
    this.#end = size;
    this.#signal();
  }

  fail(failure: Error): void {
    this.#failure ??= failure;
    this.#signal();
  }

  async next(): Promise<FilledSlot | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      const filled = this.#filled.get(this.#nextOffset);
      if (filled !== undefined) {
        this.#filled.delete(filled.offset);
        this.#nextOffset += filled.length;
        return filled;
      }
      if (this.#end !== null && this.#nextOffset >= this.#end) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
