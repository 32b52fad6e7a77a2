import { fail } from '../../src-core/Failure.ts';
import { crc16, crc32c } from './ExtChecksum.ts';

export type ExtChecksumKind = 'none' | 'crc16' | 'crc32c';

/** What block allocation depends on in an ext2, ext3 or ext4 file system. Sizes in bytes. */
export interface ExtSuperblock {
  readonly blockSize: number;
  readonly blockCount: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groupCount: number;
  readonly inodeTableBlocks: number;
  readonly descriptorSize: number;
  readonly descriptorBlocks: number;
  readonly reservedDescriptorBlocks: number;
  /** Descriptor blocks from this one on lie in their own meta group; Infinity without meta_bg. */
  readonly firstMetaGroup: number;
  /** Which groups carry a copy of the superblock. */
  readonly backups: 'all' | 'sparse' | readonly number[];
  readonly checksum: ExtChecksumKind;
  /** Of descriptors and bitmaps: CRC-32C or CRC-16 of the UUID. */
  readonly checksumSeed: number;
}

export type ExtRecognition =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unusable'; readonly detail: string }
  | { readonly kind: 'usable'; readonly superblock: ExtSuperblock };

/** Bytes from a partition's start that {@link recogniseExt} wants to see. */
export const extHeadBytes = 68 * 1024;

const superblockOffset = 1024;
const superblockSize = 1024;
const maxGroups = 131_072;
const maxDescriptorBytes = 16 * 1024 * 1024;

const compat = { sparseSuper2: 0x200 };
const incompat = {
  recover: 0x4,
  journalDevice: 0x8,
  metaBg: 0x10,
  is64bit: 0x80,
  checksumSeed: 0x2000,
};
const roCompat = {
  sparseSuper: 0x1,
  gdtChecksum: 0x10,
  bigalloc: 0x200,
  metadataChecksum: 0x400,
  orphanPresent: 0x10000,
};
/** filetype, meta_bg, extents, 64bit, flex_bg, ea_inode, csum_seed, largedir, inline_data, encrypt, casefold */
const knownIncompat = 0x2 | 0x10 | 0x40 | 0x80 | 0x200 | 0x400 | 0x3e000;
/**
 * sparse_super, large_file, btree_dir, huge_file, gdt_csum, dir_nlink, extra_isize, quota,
 * metadata_csum, read-only, project, shared_blocks, verity
 */
const knownRoCompat = 0x7f | 0x100 | 0x400 | 0x1000 | 0x2000 | 0x4000 | 0x8000;

const cleanState = 0x1;
const errorState = 0x2;
const orphanState = 0x4;

/**
 * Looks for an ext2, ext3 or ext4 file system at the beginning of a partition.
 *
 * `unusable` means: a superblock that contradicts itself, its checksum or the partition, or one that
 * another file system left over; its blocks then all count as used.
 *
 * Source: Linux Documentation/filesystems/ext4/super.rst.
 * @param head the partition's first {@link extHeadBytes} bytes
 * @param start where the partition begins in the image, bytes
 * @param size of the partition, bytes; Infinity where there is no partition table
 * @throws FailureError used-blocks-unavailable where the file system is one, but its block bitmaps
 *   cannot be trusted: a journal to replay, errors, bigalloc, unknown features
 */
export function recogniseExt(head: Uint8Array, start: number, size: number): ExtRecognition {
  if (head.length < superblockOffset + superblockSize) return { kind: 'absent' };
  const bytes = new Uint8Array(head.subarray(superblockOffset, superblockOffset + superblockSize));
  const view = new DataView(bytes.buffer);
  if (view.getUint16(0x38, true) !== 0xef53) return { kind: 'absent' };
  const place = `the ext file system at byte ${String(start)}`;
  const other = foreignSignature(head);
  if (other !== null) return unusable(`${place} shares its place with ${other}`);
  if (superblockChecksumDiffers(view, bytes)) {
    return unusable(`${place} has a superblock with a wrong checksum`);
  }
  if (view.getUint32(0x18, true) > 6 || blocks(view) * blockSize(view) > size) {
    return unusable(`${place} has a superblock that does not fit its partition`);
  }
  refuseUntrusted(view, place);
  const superblock = geometry(view, bytes);
  return superblock === null
    ? unusable(`${place} has a superblock that contradicts itself`)
    : { kind: 'usable', superblock };
}

function unusable(detail: string): ExtRecognition {
  return { kind: 'unusable', detail };
}

function blockSize(view: DataView): number {
  return 1024 * 2 ** view.getUint32(0x18, true);
}

function blocks(view: DataView): number {
  const is64bit = (view.getUint32(0x60, true) & incompat.is64bit) !== 0;
  return view.getUint32(0x04, true) + (is64bit ? view.getUint32(0x150, true) * 2 ** 32 : 0);
}

function superblockChecksumDiffers(view: DataView, bytes: Uint8Array): boolean {
  if ((view.getUint32(0x64, true) & roCompat.metadataChecksum) === 0) return false;
  return (
    view.getUint8(0x175) !== 1 ||
    crc32c(0xffffffff, bytes.subarray(0, 0x3fc)) !== view.getUint32(0x3fc, true)
  );
}

function refuseUntrusted(view: DataView, place: string): void {
  const incompatible = view.getUint32(0x60, true);
  const readOnly = view.getUint32(0x64, true);
  const state = view.getUint16(0x3a, true);
  const reasons: readonly (readonly [boolean, string])[] = [
    [(incompatible & incompat.recover) !== 0, 'has a journal that was not replayed'],
    [(incompatible & incompat.journalDevice) !== 0, 'is a journal device'],
    [(readOnly & roCompat.bigalloc) !== 0, 'uses bigalloc'],
    [(incompatible & ~knownIncompat) !== 0, `has unknown features ${hex(incompatible)}`],
    [(readOnly & roCompat.orphanPresent) !== 0, 'has orphans to clean up'],
    [(readOnly & ~knownRoCompat) !== 0, `has unknown read-only features ${hex(readOnly)}`],
    [(state & errorState) !== 0, 'is marked as having errors'],
    [(state & orphanState) !== 0, 'has orphans to clean up'],
    [(state & cleanState) === 0, 'was not unmounted cleanly'],
  ];
  for (const [applies, what] of reasons) {
    if (applies) throw fail('used-blocks-unavailable', { detail: `${place} ${what}` });
  }
}

function hex(features: number): string {
  return `0x${(features >>> 0).toString(16)}`;
}

/** Null where a field is beyond what the kernel accepts, or beyond our bounds. */
function geometry(view: DataView, bytes: Uint8Array): ExtSuperblock | null {
  const size = blockSize(view);
  const blockCount = blocks(view);
  const dynamic = view.getUint32(0x4c, true) >= 1;
  const compatible = view.getUint32(0x5c, true);
  const incompatible = view.getUint32(0x60, true);
  const readOnly = view.getUint32(0x64, true);
  const firstDataBlock = view.getUint32(0x14, true);
  const blocksPerGroup = view.getUint32(0x20, true);
  const inodesPerGroup = view.getUint32(0x28, true);
  const inodeSize = dynamic ? view.getUint16(0x58, true) : 128;
  const is64bit = (incompatible & incompat.is64bit) !== 0;
  const descriptorSize = is64bit ? view.getUint16(0xfe, true) : 32;
  const metaBg = (incompatible & incompat.metaBg) !== 0;
  const firstMetaGroup = metaBg ? view.getUint32(0x104, true) : Infinity;
  const reservedDescriptorBlocks = view.getUint16(0xce, true);
  const groupCount = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup);
  const descriptorBlocks = Math.ceil((groupCount * descriptorSize) / size);
  const sane =
    (dynamic || (compatible | incompatible | readOnly) === 0) &&
    view.getUint16(0x5a, true) === 0 &&
    firstDataBlock === (size === 1024 ? 1 : 0) &&
    blockCount > firstDataBlock &&
    blocksPerGroup > 0 &&
    blocksPerGroup % 8 === 0 &&
    blocksPerGroup <= size * 8 &&
    inodesPerGroup > 0 &&
    inodesPerGroup <= size * 8 &&
    isPowerOfTwo(inodeSize, 128, size) &&
    (!is64bit || isPowerOfTwo(descriptorSize, 64, 1024)) &&
    reservedDescriptorBlocks <= size / 4 &&
    (!metaBg || firstMetaGroup <= descriptorBlocks) &&
    groupCount <= maxGroups &&
    groupCount * descriptorSize <= maxDescriptorBytes;
  if (!sane) return null;
  return {
    blockSize: size,
    blockCount,
    firstDataBlock,
    blocksPerGroup,
    groupCount,
    inodeTableBlocks: Math.ceil((inodesPerGroup * inodeSize) / size),
    descriptorSize,
    descriptorBlocks,
    reservedDescriptorBlocks,
    firstMetaGroup,
    backups: backups(view, compatible, readOnly),
    ...checksums(view, bytes),
  };
}

function isPowerOfTwo(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && (value & (value - 1)) === 0;
}

function backups(view: DataView, compatible: number, readOnly: number): ExtSuperblock['backups'] {
  if ((compatible & compat.sparseSuper2) !== 0) {
    return [0, view.getUint32(0x24c, true), view.getUint32(0x250, true)];
  }
  return (readOnly & roCompat.sparseSuper) === 0 ? 'all' : 'sparse';
}

function checksums(
  view: DataView,
  bytes: Uint8Array,
): Pick<ExtSuperblock, 'checksum' | 'checksumSeed'> {
  const readOnly = view.getUint32(0x64, true);
  const uuid = bytes.subarray(0x68, 0x78);
  if ((readOnly & roCompat.metadataChecksum) !== 0) {
    const stored = (view.getUint32(0x60, true) & incompat.checksumSeed) !== 0;
    const checksumSeed = stored ? view.getUint32(0x270, true) : crc32c(0xffffffff, uuid);
    return { checksum: 'crc32c', checksumSeed };
  }
  if ((readOnly & roCompat.gdtChecksum) !== 0) {
    return { checksum: 'crc16', checksumSeed: crc16(0xffff, uuid) };
  }
  return { checksum: 'none', checksumSeed: 0 };
}

/** Offset in bytes, the characters there, and who writes them. As libblkid's probes know them. */
const foreignSignatures: readonly (readonly [number, string, string])[] = [
  [0, 'XFSB', 'XFS'],
  [0, 'LUKS\xba\xbe', 'LUKS'],
  [3, 'NTFS    ', 'NTFS'],
  [3, 'EXFAT   ', 'exFAT'],
  [54, 'FAT12   ', 'FAT'],
  [54, 'FAT16   ', 'FAT'],
  [82, 'FAT32   ', 'FAT'],
  [0, 'LABELONE', 'LVM'],
  [512, 'LABELONE', 'LVM'],
  [1024, 'LABELONE', 'LVM'],
  [1536, 'LABELONE', 'LVM'],
  [4096, '\xfc\x4e\x2b\xa9', 'RAID'],
  [65600, '_BHRfS_M', 'Btrfs'],
];

/**
 * An ext superblock can outlive its file system where the next one leaves bytes 1024 to 2047 alone.
 */
function foreignSignature(head: Uint8Array): string | null {
  for (const [offset, text, name] of foreignSignatures) {
    let equal = offset + text.length <= head.length;
    for (let index = 0; equal && index < text.length; index++) {
      equal = head[offset + index] === text.charCodeAt(index);
    }
    if (equal) return name;
  }
  return null;
}
