import { crc16, crc32c } from './ExtChecksum.ts';
import type { ExtSuperblock } from './ExtSuperblock.ts';

/** Block numbers of the file system, from `first` up to, not including, `end`. */
export interface BlockSpan {
  readonly first: number;
  readonly end: number;
}

/** Descriptors of consecutive groups that lie together. */
export interface DescriptorSet {
  readonly index: number;
  readonly firstGroup: number;
  readonly groupCount: number;
  /** Block number of the first one. */
  readonly block: number;
}

export interface GroupDescriptor {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly freeBlocks: number;
  /** The bitmap was never written: nothing but the group's own metadata is in use. */
  readonly uninitialised: boolean;
  /** As far as the descriptor stores it: 32 bits, 16 bits, or null. */
  readonly bitmapChecksum: { readonly value: number; readonly mask: number } | null;
}

/** Where the groups of a file system, their descriptors and superblock copies lie. */
export class ExtGroups {
  readonly superblock: ExtSuperblock;
  readonly #descriptorsPerBlock: number;

  constructor(superblock: ExtSuperblock) {
    this.superblock = superblock;
    this.#descriptorsPerBlock = superblock.blockSize / superblock.descriptorSize;
  }

  blocksOf(group: number): BlockSpan {
    const { firstDataBlock, blocksPerGroup, blockCount } = this.superblock;
    const first = firstDataBlock + group * blocksPerGroup;
    return { first, end: Math.min(first + blocksPerGroup, blockCount) };
  }

  groupOf(block: number): number {
    const { firstDataBlock, blocksPerGroup } = this.superblock;
    return Math.floor((block - firstDataBlock) / blocksPerGroup);
  }

  /** Source: Linux Documentation/filesystems/ext4/blockgroup.rst ("sparse_super", "Meta Block Groups"). */
  hasSuperblock(group: number): boolean {
    const { backups } = this.superblock;
    if (typeof backups !== 'string') return backups.includes(group);
    if (backups === 'all' || group <= 1) return true;
    return [3, 5, 7].some((base) => isPowerOf(group, base));
  }

  /** The superblock copy and descriptors at the group's beginning, wherever there could be some. */
  fixedMetadata(group: number): BlockSpan {
    const { descriptorBlocks, reservedDescriptorBlocks, firstMetaGroup } = this.superblock;
    const { first } = this.blocksOf(group);
    const own = this.hasSuperblock(group) ? 1 : 0;
    const metaGroup = Math.floor(group / this.#descriptorsPerBlock);
    if (metaGroup >= firstMetaGroup) {
      const place = group % this.#descriptorsPerBlock;
      const holds = place <= 1 || place === this.#descriptorsPerBlock - 1;
      return { first, end: first + own + (holds ? 1 : 0) };
    }
    const table = Math.min(descriptorBlocks, firstMetaGroup) + reservedDescriptorBlocks;
    return { first, end: first + (own === 0 ? 0 : 1 + table) };
  }

  /** The primary descriptors: one table, or with meta_bg one block in each meta group. */
  descriptorSets(): DescriptorSet[] {
    const { firstDataBlock, descriptorBlocks, firstMetaGroup, groupCount } = this.superblock;
    const perBlock = this.#descriptorsPerBlock;
    const sets: DescriptorSet[] = [];
    const together = Math.min(descriptorBlocks, firstMetaGroup);
    const push = (firstGroup: number, limit: number, block: number): void => {
      const count = Math.min(limit, groupCount - firstGroup);
      sets.push({ index: sets.length, firstGroup, groupCount: count, block });
    };
    if (together > 0) push(0, together * perBlock, firstDataBlock + 1);
    for (let metaGroup = together; metaGroup < descriptorBlocks; metaGroup++) {
      const group = metaGroup * perBlock;
      push(group, perBlock, this.blocksOf(group).first + (this.hasSuperblock(group) ? 1 : 0));
    }
    return sets;
  }

  /** Index in {@link descriptorSets} of the set that a group belongs to. */
  setOf(group: number): number {
    const { descriptorBlocks, firstMetaGroup } = this.superblock;
    const together = Math.min(descriptorBlocks, firstMetaGroup);
    const block = Math.floor(group / this.#descriptorsPerBlock);
    return block < together ? 0 : block - together + (together > 0 ? 1 : 0);
  }

  /**
   * Null where the descriptor's checksum is wrong, or it points outside the file system.
   *
   * Source: Linux Documentation/filesystems/ext4/group_descr.rst.
   * @param bytes exactly one descriptor
   */
  descriptor(bytes: Uint8Array, group: number): GroupDescriptor | null {
    const { descriptorSize, checksum, blockCount, firstDataBlock } = this.superblock;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const wide = descriptorSize >= 64;
    const block = (low: number, high: number): number =>
      view.getUint32(low, true) + (wide ? view.getUint32(high, true) * 2 ** 32 : 0);
    const descriptor: GroupDescriptor = {
      blockBitmap: block(0x00, 0x20),
      inodeBitmap: block(0x04, 0x24),
      inodeTable: block(0x08, 0x28),
      freeBlocks: view.getUint16(0x0c, true) + (wide ? view.getUint16(0x2c, true) * 2 ** 16 : 0),
      uninitialised: checksum !== 'none' && (view.getUint16(0x12, true) & 0x2) !== 0,
      bitmapChecksum: checksum === 'crc32c' ? bitmapChecksum(view, wide) : null,
    };
    if (this.#descriptorChecksum(bytes, group) !== view.getUint16(0x1e, true)) return null;
    const inside = [descriptor.blockBitmap, descriptor.inodeBitmap, descriptor.inodeTable].every(
      (at) => at > firstDataBlock && at < blockCount,
    );
    return inside ? descriptor : null;
  }

  #descriptorChecksum(bytes: Uint8Array, group: number): number {
    const { checksum, checksumSeed, descriptorSize } = this.superblock;
    const number = new Uint8Array(4);
    new DataView(number.buffer).setUint32(0, group, true);
    const before = bytes.subarray(0, 0x1e);
    const after = bytes.subarray(0x20, descriptorSize);
    if (checksum === 'crc32c') {
      const head = crc32c(crc32c(checksumSeed, number), before);
      return crc32c(crc32c(head, new Uint8Array(2)), after) & 0xffff;
    }
    if (checksum === 'crc16') return crc16(crc16(crc16(checksumSeed, number), before), after);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint16(0x1e, true);
  }

  /**
   * Whether a block bitmap agrees with its descriptor: checksum and number of free blocks. e2fsck
   * would change it otherwise.
   * @param bitmap blocksPerGroup bits
   */
  bitmapAgrees(bitmap: Uint8Array, group: number, descriptor: GroupDescriptor): boolean {
    const { bitmapChecksum: expected, freeBlocks } = descriptor;
    if (expected !== null) {
      const actual = crc32c(this.superblock.checksumSeed, bitmap);
      if (((actual ^ expected.value) & expected.mask) !== 0) return false;
    }
    const { first, end } = this.blocksOf(group);
    return countClearBits(bitmap, end - first) === freeBlocks;
  }
}

function bitmapChecksum(view: DataView, wide: boolean): GroupDescriptor['bitmapChecksum'] {
  const low = view.getUint16(0x18, true);
  return wide
    ? { value: low + view.getUint16(0x38, true) * 2 ** 16, mask: 0xffffffff }
    : { value: low, mask: 0xffff };
}

function isPowerOf(value: number, base: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

function countClearBits(bitmap: Uint8Array, bits: number): number {
  let clear = 0;
  for (let index = 0; index < bits >> 3; index++) {
    clear += clearBitsOfByte[bitmap[index] ?? 0] ?? 0;
  }
  for (let bit = bits & ~7; bit < bits; bit++) {
    if ((((bitmap[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 0) clear++;
  }
  return clear;
}

const clearBitsOfByte = Uint8Array.from({ length: 256 }, (_, byte) => {
  let clear = 0;
  for (let bit = 0; bit < 8; bit++) clear += ((byte >> bit) & 1) ^ 1;
  return clear;
});
