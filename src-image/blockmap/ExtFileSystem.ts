import {
  ExtGroups,
  type BlockSpan,
  type DescriptorSet,
  type GroupDescriptor,
} from './ExtGroups.ts';
import type { ExtSuperblock } from './ExtSuperblock.ts';
import { RangeCollector } from './RangeCollector.ts';
import type { UsedUnits } from './UsedUnits.ts';

interface WantedBitmap {
  readonly group: number;
  readonly descriptor: GroupDescriptor;
}

/** Bitmaps that wait for their group's blocks to pass: 64 MiB tell of 2 TiB in blocks of 4 KiB. */
const maxStoredBytes = 64 * 1024 * 1024;

/**
 * Learns from a file system that streams by which of its blocks are free. A block whose bitmap has
 * not passed yet, or cannot be trusted, counts as used.
 */
export class ExtFileSystem {
  /** Bytes of the image. */
  readonly #start: number;
  readonly #groups: ExtGroups;
  readonly #descriptors: RangeCollector<DescriptorSet>;
  readonly #bitmaps: RangeCollector<WantedBitmap>;
  /** Trusted bitmaps of groups that have not passed yet; null: the bitmap was never initialised. */
  readonly #known = new Map<number, Uint8Array | null>();
  readonly #metadata = new Map<number, readonly BlockSpan[]>();
  #storedBytes = 0;

  /** `start`: where the file system begins in the image, bytes. */
  constructor(superblock: ExtSuperblock, start: number) {
    this.#start = start;
    this.#groups = new ExtGroups(superblock);
    this.#descriptors = new RangeCollector(start);
    this.#bitmaps = new RangeCollector(start);
    for (const set of this.#groups.descriptorSets()) {
      const length = set.groupCount * superblock.descriptorSize;
      this.#descriptors.want(this.#byteOf(set.block), length, set);
    }
  }

  /** Takes the next bytes of the image, from the file system's start on, without gaps. */
  observe(offset: number, chunk: Uint8Array): void {
    this.#descriptors.feed(offset, chunk, (set, bytes) => {
      this.#takeDescriptors(set, bytes);
    });
    this.#bitmaps.feed(offset, chunk, ({ group, descriptor }, bytes) => {
      if (this.#storedBytes + bytes.length > maxStoredBytes) return;
      if (!this.#groups.bitmapAgrees(bytes, group, descriptor)) return;
      this.#known.set(group, new Uint8Array(bytes));
      this.#storedBytes += bytes.length;
    });
  }

  /** Marks what is known to be free in the chunk at hand, after that chunk was observed. */
  markFree(units: UsedUnits): void {
    const { blockSize, blockCount, firstDataBlock } = this.#groups.superblock;
    const from = Math.max(firstDataBlock, Math.floor((units.start - this.#start) / blockSize));
    const to = Math.min(blockCount, Math.ceil((units.end - this.#start) / blockSize));
    if (from >= to) return;
    const chunk = { first: from, end: to };
    const lastGroup = this.#groups.groupOf(to - 1);
    for (let group = this.#groups.groupOf(from); group <= lastGroup; group++) {
      this.#markFreeOfGroup(group, chunk, units);
    }
    let set = -1;
    for (let group = this.#groups.groupOf(from); group <= lastGroup; group++) {
      if (!this.#known.has(group)) continue;
      const fixed = this.#groups.fixedMetadata(group);
      units.markUsed(this.#byteOf(fixed.first), this.#byteOf(fixed.end));
      if (set !== this.#groups.setOf(group)) {
        set = this.#groups.setOf(group);
        this.#markMetadata(set, chunk, units);
      }
      if (this.#byteOf(this.#groups.blocksOf(group).end) <= units.end) this.#forget(group);
    }
  }

  #byteOf(block: number): number {
    return this.#start + block * this.#groups.superblock.blockSize;
  }

  #takeDescriptors(set: DescriptorSet, bytes: Uint8Array): void {
    const { descriptorSize, inodeTableBlocks, blocksPerGroup } = this.#groups.superblock;
    const spans: BlockSpan[] = [];
    for (let index = 0; index < set.groupCount; index++) {
      const group = set.firstGroup + index;
      const own = bytes.subarray(index * descriptorSize, (index + 1) * descriptorSize);
      const descriptor = this.#groups.descriptor(own, group);
      if (descriptor === null) continue;
      const { blockBitmap, inodeBitmap, inodeTable } = descriptor;
      spans.push(
        { first: blockBitmap, end: blockBitmap + 1 },
        { first: inodeBitmap, end: inodeBitmap + 1 },
        { first: inodeTable, end: inodeTable + inodeTableBlocks },
      );
      if (descriptor.uninitialised) {
        this.#known.set(group, null);
      } else {
        const wanted = { group, descriptor };
        this.#bitmaps.want(this.#byteOf(blockBitmap), blocksPerGroup / 8, wanted);
      }
    }
    this.#metadata.set(set.index, merged(spans));
  }

  #markFreeOfGroup(group: number, chunk: BlockSpan, units: UsedUnits): void {
    const bitmap = this.#known.get(group);
    if (bitmap === undefined) return;
    const { first, end } = this.#groups.blocksOf(group);
    const from = Math.max(first, chunk.first);
    const to = Math.min(end, chunk.end);
    if (bitmap === null) {
      units.markFree(this.#byteOf(from), this.#byteOf(to));
      return;
    }
    let bit = nextBit(bitmap, from - first, to - first, 0);
    while (bit < to - first) {
      const used = nextBit(bitmap, bit, to - first, 1);
      units.markFree(this.#byteOf(first + bit), this.#byteOf(first + used));
      bit = nextBit(bitmap, used, to - first, 0);
    }
  }

  /** Whatever a bitmap says: descriptors, bitmaps and inode tables have to be there. */
  #markMetadata(set: number, chunk: BlockSpan, units: UsedUnits): void {
    const spans = this.#metadata.get(set) ?? [];
    for (let index = firstEndingAfter(spans, chunk.first); index < spans.length; index++) {
      const span = spans[index];
      if (span === undefined || span.first >= chunk.end) return;
      units.markUsed(this.#byteOf(span.first), this.#byteOf(span.end));
    }
  }

  #forget(group: number): void {
    this.#storedBytes -= this.#known.get(group)?.length ?? 0;
    this.#known.delete(group);
  }
}

/** Sorted and disjoint. */
function merged(spans: readonly BlockSpan[]): BlockSpan[] {
  const result: { first: number; end: number }[] = [];
  for (const { first, end } of spans.toSorted((a, b) => a.first - b.first)) {
    const last = result.at(-1);
    if (last !== undefined && first <= last.end) last.end = Math.max(last.end, end);
    else result.push({ first, end });
  }
  return result;
}

function firstEndingAfter(spans: readonly BlockSpan[], block: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.end ?? Infinity) > block) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The first bit from `from` on that has this value, or `end`. */
function nextBit(bitmap: Uint8Array, from: number, end: number, value: 0 | 1): number {
  const uniform = value === 1 ? 0x00 : 0xff;
  let bit = from;
  while (bit < end) {
    const byte = bitmap[bit >> 3] ?? 0xff;
    if (byte === uniform) {
      bit = (bit | 7) + 1;
    } else {
      if (((byte >> (bit & 7)) & 1) === value) return bit;
      bit++;
    }
  }
  return end;
}
