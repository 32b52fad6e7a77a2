import { fail } from '../../src-core/Failure.ts';
import { ExtFileSystem } from './ExtFileSystem.ts';
import { extHeadBytes } from './ExtSuperblock.ts';
import { ExtSurvey } from './ExtSurvey.ts';
import { partitionRegions } from './PartitionRegions.ts';
import { alwaysUsedBytes, type ByteRange, type RangeMapper } from './RangeMapper.ts';
import { UsedUnits, type BridgeOptions } from './UsedUnits.ts';

/** One partition: its file system is known once its first bytes have passed. */
interface Region extends ByteRange {
  /** Allocated when the partition begins to pass, given up once it was judged. */
  head: Uint8Array | null;
  filled: number;
  judged: boolean;
  fileSystem: ExtFileSystem | null;
}

/**
 * The mapper for images without a block map: the free blocks of their ext2, ext3 and ext4 file
 * systems are not used, everything else is. It learns while the image streams by, so that what it
 * needs to know too late counts as used.
 */
export class UsedBlocks implements RangeMapper {
  readonly #units: UsedUnits;
  #head: Uint8Array | null = new Uint8Array(alwaysUsedBytes);
  #position = 0;
  /** Those that have not passed yet, in order. */
  #regions: Region[] = [];
  readonly #survey = new ExtSurvey();

  constructor(options: BridgeOptions = {}) {
    this.#units = new UsedUnits(options);
  }

  /** @throws FailureError used-blocks-unavailable as soon as it is certain */
  map(offset: number, chunk: Uint8Array): ByteRange[] {
    if (offset !== this.#position) {
      throw fail('internal', { detail: `chunk at ${String(offset)} out of order` });
    }
    this.#position += chunk.length;
    this.#observe(offset, chunk);
    this.#units.begin(offset, chunk.length, true);
    for (const { fileSystem, start } of this.#regions) {
      if (start >= this.#position) break;
      fileSystem?.markFree(this.#units);
    }
    this.#regions = this.#regions.filter(
      ({ end, judged, fileSystem }) => end > this.#position && (!judged || fileSystem !== null),
    );
    if (this.#head === null && this.#regions.length === 0) this.#survey.requireOne();
    return this.#units.ranges();
  }

  finish(): void {
    if (this.#head !== null) this.#takeHead(this.#head.subarray(0, this.#position));
    this.#survey.requireOne();
  }

  #observe(offset: number, chunk: Uint8Array): void {
    if (this.#head === null) {
      this.#observeRegions(offset, chunk);
      return;
    }
    const part = chunk.subarray(0, alwaysUsedBytes - offset);
    this.#head.set(part, offset);
    if (offset + part.length < alwaysUsedBytes) return;
    this.#takeHead(this.#head);
    this.#observeRegions(alwaysUsedBytes, chunk.subarray(part.length));
  }

  #takeHead(head: Uint8Array): void {
    this.#head = null;
    this.#regions = partitionRegions(head).map((range) => ({
      ...range,
      head: null,
      filled: 0,
      judged: false,
      fileSystem: null,
    }));
    this.#observeRegions(0, head);
  }

  #observeRegions(offset: number, chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    for (const region of this.#regions) {
      const from = Math.max(region.start, offset);
      const to = Math.min(region.end, offset + chunk.length);
      if (from < to) this.#observeRegion(region, from, chunk.subarray(from - offset, to - offset));
    }
  }

  #observeRegion(region: Region, offset: number, part: Uint8Array): void {
    if (region.judged) {
      region.fileSystem?.observe(offset, part);
      return;
    }
    region.head ??= new Uint8Array(Math.min(extHeadBytes, region.end - region.start));
    const taken = part.subarray(0, region.head.length - region.filled);
    region.head.set(taken, region.filled);
    region.filled += taken.length;
    if (region.filled < region.head.length) return;
    region.fileSystem = this.#judge(region, region.head);
    region.judged = true;
    region.head = null;
    const rest = part.subarray(taken.length);
    if (rest.length > 0) region.fileSystem?.observe(offset + taken.length, rest);
  }

  #judge(region: ByteRange, head: Uint8Array): ExtFileSystem | null {
    const superblock = this.#survey.judge(region, head);
    if (superblock === null) return null;
    const fileSystem = new ExtFileSystem(superblock, region.start);
    fileSystem.observe(region.start, head);
    return fileSystem;
  }
}
