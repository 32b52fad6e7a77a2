import { plainText } from '../src-core/PlainText.ts';
import { bytesAt, viewOf, type ByteReader } from './ImageWindow.ts';

export interface FileSystemHead {
  readonly type:
    | 'fat12'
    | 'fat16'
    | 'fat32'
    | 'exfat'
    | 'ntfs'
    | 'ext2'
    | 'ext3'
    | 'ext4'
    | 'btrfs'
    | 'xfs'
    | 'f2fs'
    | 'squashfs'
    | 'iso9660'
    | 'swap'
    | 'luks'
    | 'lvm';
  /** Cleaned; null where there is none. */
  readonly label: string | null;
  /** Bytes that it says it spans; null where that is not looked up. */
  readonly size: number | null;
}

/** Enough for the superblocks of everything but ISO 9660 and btrfs. */
const firstBytes = 4096;
const isoAt = 32 * 1024;
const btrfsAt = 64 * 1024;

/**
 * Recognises a file system by its superblock at `start`. Offsets after libblkid's superblock probers
 * (util-linux 2.41) and the formats' own documents; null where nothing known is in view.
 */
export function recogniseFileSystem(reader: ByteReader, start: number): FileSystemHead | null {
  const head = bytesAt(reader, start, firstBytes);
  if (head.length < 512) return null;
  return (
    recogniseBySignature(head) ??
    recogniseExt(head) ??
    recogniseFat(head) ??
    recogniseLate(reader, start)
  );
}

function recogniseBySignature(head: Uint8Array): FileSystemHead | null {
  const size = null;
  if (textAt(head, 3, 8) === 'EXFAT   ') return { type: 'exfat', label: null, size };
  if (textAt(head, 3, 8) === 'NTFS    ') return { type: 'ntfs', label: null, size };
  if (textAt(head, 0, 4) === 'XFSB') return { type: 'xfs', label: label(head, 108, 12), size };
  if (textAt(head, 0, 4) === 'hsqs') return { type: 'squashfs', label: null, size };
  if (textAt(head, 0, 6) === 'LUKS\xba\xbe') {
    return { type: 'luks', label: head[7] === 2 ? label(head, 24, 48) : null, size };
  }
  if (textAt(head, 512, 8) === 'LABELONE') return { type: 'lvm', label: null, size };
  if (textAt(head, 4086, 10) === 'SWAPSPACE2') {
    return { type: 'swap', label: label(head, 1052, 16), size };
  }
  if (textAt(head, 1024, 4) === '\x10\x20\xf5\xf2') {
    return { type: 'f2fs', label: wideLabel(head, 1024 + 124, 512), size };
  }
  return null;
}

/** The ext4 disk layout: Documentation/filesystems/ext4/super.rst of Linux. */
function recogniseExt(head: Uint8Array): FileSystemHead | null {
  if (head.length < 2048) return null;
  const view = viewOf(head.subarray(1024));
  const blocks = view.getUint32(4, true);
  const logBlockSize = view.getUint32(24, true);
  const isExt =
    view.getUint16(56, true) === 0xef53 &&
    view.getUint32(0, true) > 0 &&
    blocks > 0 &&
    logBlockSize <= 6 &&
    view.getUint32(76, true) <= 1;
  if (!isExt) return null;
  const incompatible = view.getUint32(96, true);
  const is64Bit = (incompatible & 0x80) !== 0;
  const isExt4 = (incompatible & 0x2c0) !== 0 || (view.getUint32(100, true) & 0x78) !== 0;
  const hasJournal = (view.getUint32(92, true) & 4) !== 0;
  const allBlocks = blocks + (is64Bit ? view.getUint32(336, true) * 2 ** 32 : 0);
  return {
    type: isExt4 ? 'ext4' : hasJournal ? 'ext3' : 'ext2',
    label: label(head, 1024 + 120, 16),
    size: allBlocks * 1024 * 2 ** logBlockSize,
  };
}

/** The BIOS parameter block: Microsoft's FAT specification (fatgen103), "Boot Sector and BPB". */
function recogniseFat(head: Uint8Array): FileSystemHead | null {
  const view = viewOf(head);
  const sectorSize = view.getUint16(11, true);
  const clusterSectors = view.getUint8(13);
  const reserved = view.getUint16(14, true);
  const tables = view.getUint8(16);
  const sectors = view.getUint16(19, true) || view.getUint32(32, true);
  const tableSectors = view.getUint16(22, true) || view.getUint32(36, true);
  const jump = view.getUint8(0);
  const isFat =
    view.getUint16(510, true) === 0xaa55 &&
    (jump === 0xe9 || (jump === 0xeb && view.getUint8(2) === 0x90)) &&
    [512, 1024, 2048, 4096].includes(sectorSize) &&
    clusterSectors > 0 &&
    (clusterSectors & (clusterSectors - 1)) === 0 &&
    reserved > 0 &&
    (tables === 1 || tables === 2) &&
    (view.getUint8(21) === 0xf0 || view.getUint8(21) >= 0xf8) &&
    tableSectors > 0;
  if (!isFat) return null;

  const rootSectors = Math.ceil((view.getUint16(17, true) * 32) / sectorSize);
  const dataSectors = sectors - reserved - tables * tableSectors - rootSectors;
  if (dataSectors <= 0) return null;
  const clusters = Math.floor(dataSectors / clusterSectors);
  const is32 = view.getUint16(22, true) === 0;
  const name = label(head, is32 ? 71 : 43, 11);
  return {
    type: is32 ? 'fat32' : clusters < 4085 ? 'fat12' : 'fat16',
    label: name === 'NO NAME' ? null : name,
    size: sectors * sectorSize,
  };
}

function recogniseLate(reader: ByteReader, start: number): FileSystemHead | null {
  const iso = bytesAt(reader, start + isoAt, 2048);
  if (textAt(iso, 1, 5) === 'CD001') {
    return { type: 'iso9660', label: label(iso, 40, 32), size: null };
  }
  const btrfs = bytesAt(reader, start + btrfsAt, 1024);
  if (textAt(btrfs, 64, 8) === '_BHRfS_M') {
    return { type: 'btrfs', label: label(btrfs, 299, 256), size: null };
  }
  return null;
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function label(bytes: Uint8Array, at: number, length: number): string | null {
  const text = new TextDecoder().decode(bytes.subarray(at, at + length));
  return ended(text);
}

function wideLabel(bytes: Uint8Array, at: number, characters: number): string | null {
  return ended(new TextDecoder('utf-16le').decode(bytes.subarray(at, at + characters * 2)));
}

function ended(text: string): string | null {
  const shown = plainText(text.split('\0')[0] ?? '');
  return shown === '' ? null : shown;
}
