import { fail } from '../../src-core/Failure.ts';
import type { Bmap } from './Bmap.ts';
import type { ByteRange, RangeMapper } from './RangeMapper.ts';
import { UsedUnits, type BridgeOptions } from './UsedUnits.ts';

/** Maps by a .bmap file. */
export class BmapMapper implements RangeMapper {
  readonly #bmap: Bmap;
  readonly #units: UsedUnits;
  /** Index of the first range that has not passed yet. */
  #next = 0;
  #position = 0;

  constructor(bmap: Bmap, options: BridgeOptions = {}) {
    this.#bmap = bmap;
    this.#units = new UsedUnits(options);
  }

  /** @throws FailureError block-map-mismatch where the image is longer than the map says */
  map(offset: number, chunk: Uint8Array): ByteRange[] {
    const { blockSize, ranges } = this.#bmap;
    if (offset !== this.#position) {
      throw fail('internal', { detail: `chunk at ${String(offset)} out of order` });
    }
    this.#position = offset + chunk.length;
    requireImageSize(this.#bmap, Math.max(this.#position, this.#bmap.imageSize));
    this.#units.begin(offset, chunk.length, false);
    for (let range = ranges[this.#next]; range !== undefined; range = ranges[this.#next]) {
      if (range.first * blockSize >= this.#position) break;
      this.#units.markUsed(range.first * blockSize, (range.last + 1) * blockSize);
      if ((range.last + 1) * blockSize > this.#position) break;
      this.#next++;
    }
    return this.#units.ranges();
  }

  /** @throws FailureError block-map-mismatch where the image is shorter than the map says */
  finish(): void {
    requireImageSize(this.#bmap, this.#position);
  }
}

/**
 * To be called as soon as the image's decompressed size (bytes) is known.
 * @throws FailureError block-map-mismatch
 */
export function requireImageSize({ path, imageSize }: Bmap, imageBytes: number): void {
  if (imageBytes !== imageSize) {
    throw fail('block-map-mismatch', { path, mapBytes: imageSize, imageBytes });
  }
}
