import { createHash, type Hash } from 'node:crypto';
import { fail } from '../../src-core/Failure.ts';
import type { Bmap, BmapRange } from './Bmap.ts';

/**
 * Checks the checksum of every range of a block map while the image passes. Made from plain data, so
 * that it can live on another thread than the mapper.
 */
export class RangeChecksums {
  readonly #bmap: Bmap;
  #next = 0;
  #position = 0;
  #hash: Hash | null = null;

  constructor(bmap: Bmap) {
    this.#bmap = bmap;
  }

  /**
   * Takes the next chunk of the image (of any size), which begins at `offset` (bytes).
   * @throws FailureError block-map-range-differs
   */
  update(offset: number, chunk: Uint8Array): void {
    if (offset !== this.#position) {
      throw fail('internal', { detail: `chunk at ${String(offset)} out of order` });
    }
    this.#position = offset + chunk.length;
    const { blockSize, imageSize, ranges } = this.#bmap;
    for (let range = ranges[this.#next]; range !== undefined; range = ranges[this.#next]) {
      const start = range.first * blockSize;
      const end = Math.min((range.last + 1) * blockSize, imageSize);
      if (start >= this.#position) return;
      if (range.checksum !== null) {
        const part = chunk.subarray(Math.max(start - offset, 0), end - offset);
        this.#hash ??= createHash(this.#bmap.checksumType);
        this.#hash.update(part);
      }
      if (end > this.#position) return;
      this.#compare(range);
      this.#next++;
    }
  }

  /**
   * To be called after the last chunk.
   * @throws FailureError block-map-range-differs where the image ended before its last range
   */
  finish(): void {
    const missing = this.#bmap.ranges[this.#next];
    if (missing !== undefined) throw this.#differs(missing);
  }

  #compare(range: BmapRange): void {
    const actual = this.#hash?.digest('hex') ?? null;
    this.#hash = null;
    if (range.checksum !== null && actual !== range.checksum) throw this.#differs(range);
  }

  #differs({ first, last }: BmapRange): Error {
    const { path } = this.#bmap;
    return fail('block-map-range-differs', { path, firstBlock: first, lastBlock: last });
  }
}
