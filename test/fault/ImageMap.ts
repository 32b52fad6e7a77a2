import { createHash } from 'node:crypto';
import type { Bmap, BmapRange } from '../../src-image/blockmap/Bmap.ts';

const MIB = 1 << 20;

/** Bytes of a block of the maps: each MiB has four. */
export const MAP_BLOCK = MIB / 4;

/** Bytes from `offset` up to, not including, `end`. */
export interface ImageRange {
  readonly offset: number;
  readonly end: number;
}

/**
 * What of an image belongs on a card, in the order of the image and cut at every MiB.
 * @param size bytes of the image
 * @param map the used blocks of {@link MAP_BLOCK} bytes; null for all
 */
export function usedRanges(size: number, map: readonly number[] | null): ImageRange[] {
  const ranges: ImageRange[] = [];
  for (let offset = 0; offset < size; offset += MAP_BLOCK) {
    const isUsed = offset < MIB || map === null || map.includes(offset / MAP_BLOCK);
    if (!isUsed) continue;
    const end = Math.min(offset + MAP_BLOCK, size);
    const last = ranges.at(-1);
    const continues = last?.end === offset && offset % MIB !== 0;
    if (continues) ranges[ranges.length - 1] = { offset: last.offset, end };
    else ranges.push({ offset, end });
  }
  return ranges;
}

/** A block map of an image with the checksums of its ranges; the first one wrong if `isWrong`. */
export function bmapOf(image: Uint8Array, map: readonly number[], isWrong: boolean): Bmap {
  const runs: { first: number; last: number }[] = [];
  for (const block of map) {
    const last = runs.at(-1);
    if (last?.last === block - 1) last.last = block;
    else runs.push({ first: block, last: block });
  }
  const ranges = runs.map(({ first, last }, index): BmapRange => {
    const bytes = image.subarray(first * MAP_BLOCK, (last + 1) * MAP_BLOCK);
    const checksum = createHash('sha256').update(bytes).digest('hex');
    return { first, last, checksum: isWrong && index === 0 ? '0'.repeat(64) : checksum };
  });
  return {
    path: 'card.bmap',
    imageSize: image.length,
    blockSize: MAP_BLOCK,
    mappedBlocks: map.length,
    checksumType: 'sha256',
    ranges,
  };
}
