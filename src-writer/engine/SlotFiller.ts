import type { FilledSlot } from './ImageReader.ts';
import { SLOT_BYTES } from './Ring.ts';

/** The largest logical block: a last, partial slot is padded with zeros up to it. */
const PADDING = 4096;

export interface SlotFillerPorts {
  take(): Promise<number>;
  view(slot: number): Uint8Array;
  filled(filled: FilledSlot): void;
}

/** Cuts a stream of decompressed chunks into slots. */
export class SlotFiller {
  readonly #ports: SlotFillerPorts;
  #offset: number;
  #slot: number | null = null;
  #bytes: Uint8Array = new Uint8Array(0);
  #fill = 0;
  #isPushing = false;

  /** @param offset where in the image the stream begins; a multiple of {@link SLOT_BYTES} */
  constructor(ports: SlotFillerPorts, offset: number) {
    this.#ports = ports;
    this.#offset = offset;
  }

  /** Bytes of the image up to here. */
  get position(): number {
    return this.#offset + this.#fill;
  }

  /** The memory of the slot that the next bytes belong into: what is put there need not be copied. */
  async room(): Promise<Uint8Array> {
    await this.#open();
    return this.#bytes.subarray(this.#fill);
  }

  async push(chunk: Uint8Array, inputConsumed: number): Promise<void> {
    if (this.#isPushing) throw new Error('a chunk came before the one before it was taken');
    this.#isPushing = true;
    let taken = 0;
    while (taken < chunk.length) {
      await this.#open();
      const count = Math.min(SLOT_BYTES - this.#fill, chunk.length - taken);
      if (!this.#isInPlace(chunk, taken)) {
        this.#bytes.set(chunk.subarray(taken, taken + count), this.#fill);
      }
      this.#fill += count;
      taken += count;
      if (this.#fill === SLOT_BYTES) this.#hand(inputConsumed);
    }
    this.#isPushing = false;
  }

  /** Hands on the last, partial slot; returns the bytes of the image up to its end. */
  finish(inputConsumed: number): number {
    // An image that loses its end in silence is the worst that a decoder can do.
    if (this.#isPushing) throw new Error('the stream ended before its last chunk was taken');
    // A slot that was only asked for is of no use to anybody any more.
    if (this.#fill > 0) {
      const padded = Math.ceil(this.#fill / PADDING) * PADDING;
      this.#bytes.fill(0, this.#fill, padded);
      this.#hand(inputConsumed);
    }
    return this.#offset;
  }

  async #open(): Promise<void> {
    if (this.#slot !== null) return;
    this.#slot = await this.#ports.take();
    this.#bytes = this.#ports.view(this.#slot);
    this.#fill = 0;
  }

  #isInPlace(chunk: Uint8Array, taken: number): boolean {
    const { buffer, byteOffset } = this.#bytes;
    return chunk.buffer === buffer && chunk.byteOffset + taken === byteOffset + this.#fill;
  }

  #hand(inputConsumed: number): void {
    if (this.#slot === null) return;
    this.#ports.filled({
      slot: this.#slot,
      offset: this.#offset,
      length: this.#fill,
      inputConsumed,
    });
    this.#offset += this.#fill;
    this.#fill = 0;
    this.#slot = null;
  }
}
