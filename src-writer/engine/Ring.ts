/** Bytes of one slot: also the size of the first MiB that is written last. */
export const SLOT_BYTES = 1 << 20;

/** Bytes of a page of WebAssembly memory. */
const WASM_PAGE = 1 << 16;

/**
 * The one block of memory that image bytes live in: page-aligned slots in a shared
 * `WebAssembly.Memory`. Its slices are good for O_DIRECT and visible to every thread, so a byte is
 * decoded, hashed and written to every card without being copied in between.
 */
export class Ring {
  readonly memory: SharedArrayBuffer;

  constructor(slots: number) {
    const pages = (slots * SLOT_BYTES) / WASM_PAGE;
    // A shared WebAssembly.Memory always has a SharedArrayBuffer behind it.
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
      .buffer as unknown as SharedArrayBuffer;
  }

  /** The first `length` bytes of a slot. */
  view(slot: number, length = SLOT_BYTES): Uint8Array {
    return slotView(this.memory, slot, length);
  }
}

/** The first `length` bytes of a slot, as a thread that was handed the ring's memory sees them. */
export function slotView(memory: SharedArrayBuffer, slot: number, length = SLOT_BYTES): Uint8Array {
  return new Uint8Array(memory, slot * SLOT_BYTES, length);
}

/** Free slots of one purpose; a taker waits until one is given back. */
export class SlotPool {
  readonly #free: number[];
  readonly #waiting: ((slot: number) => void)[] = [];

  constructor(slots: readonly number[]) {
    this.#free = [...slots];
  }

  get available(): number {
    return this.#free.length;
  }

  /** A free slot now, or undefined. */
  poll(): number | undefined {
    return this.#free.pop();
  }

  async take(): Promise<number> {
    const slot = this.poll();
    if (slot !== undefined) return slot;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(slot: number): void {
    const taker = this.#waiting.shift();
    if (taker === undefined) this.#free.push(slot);
    else taker(slot);
  }
}
