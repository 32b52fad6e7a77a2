import { createHash } from 'node:crypto';
import type { Bmap } from '../../src-image/blockmap/Bmap.ts';
import { RangeChecksums } from '../../src-image/blockmap/RangeChecksums.ts';
import { slotCrc } from './SlotCrc.ts';

/** A part of a slot, in bytes from its beginning: [start, end). */
export type SlotRange = readonly [start: number, end: number];

/** Hashes the image slot by slot, in order, and gives each written range a CRC-32 for the read-back. */
export class ImageDigest {
  readonly #sha256 = createHash('sha256');
  readonly #checksums: RangeChecksums | null;
  #position = 0;

  /** @param bmap whose checksums are checked as well; null for none */
  constructor(bmap: Bmap | null) {
    this.#checksums = bmap === null ? null : new RangeChecksums(bmap);
  }

  /**
   * @param slot a whole slot
   * @param length bytes of it that belong to the image
   * @param ranges what of it is written, padding included
   * @returns the CRC-32 of each range
   * @throws FailureError block-map-range-differs
   */
  update(slot: Uint8Array, length: number, ranges: readonly SlotRange[]): number[] {
    const bytes = slot.subarray(0, length);
    this.#sha256.update(bytes);
    this.#checksums?.update(this.#position, bytes);
    this.#position += length;
    return ranges.map(([start, end]) => slotCrc(slot.subarray(start, end)));
  }

  /**
   * SHA-256 of everything, in lower-case hex. Ends the digest.
   * @throws FailureError block-map-range-differs
   */
  finish(): string {
    this.#checksums?.finish();
    return this.#sha256.digest('hex');
  }
}

/** The digest as the engine uses it: on a thread of its own, or, in tests, in place. */
export interface Digester {
  update(slot: number, length: number, ranges: readonly SlotRange[]): Promise<number[]>;
  /** CRC-32 of the first `length` bytes of a slot that was read back. */
  check(slot: number, length: number): Promise<number>;
  finish(): Promise<string>;
  close(): Promise<void>;
}
