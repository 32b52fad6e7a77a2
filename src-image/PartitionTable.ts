import { crc32 } from 'node:zlib';
import { plainText } from '../src-core/PlainText.ts';
import { recogniseFileSystem, type FileSystemHead } from './FileSystemHead.ts';
import { bytesAt, viewOf, type ByteReader } from './ImageWindow.ts';

export interface Partition {
  /** As the kernel numbers it: from 1, logical ones from 5. */
  readonly number: number;
  /** MBR: "0x0c"; GPT: the type's GUID in lower case. */
  readonly type: string;
  /** The name that a GPT gives it, cleaned. */
  readonly name: string | null;
  /** Bytes from the beginning of the medium. */
  readonly start: number;
  /** Bytes. */
  readonly size: number;
  readonly isBootable: boolean;
  /** null where none is recognised or its bytes are not in view. */
  readonly fileSystem: FileSystemHead | null;
}

export interface PartitionTable {
  readonly scheme: 'mbr' | 'gpt' | 'none';
  /** In the order of their numbers. */
  readonly partitions: readonly Partition[];
  /** What spans the whole medium: a superfloppy, an ISO image, a swap area. */
  readonly fileSystem: FileSystemHead | null;
  /** Where the last partition or the whole file system ends, bytes; 0 where nobody tells. */
  readonly end: number;
}

interface MbrEntry {
  readonly status: number;
  readonly type: number;
  /** Sectors. */
  readonly start: number;
  readonly count: number;
}

const mbrEntriesAt = 446;
const mbrEntryBytes = 16;
const protectiveType = 0xee;
const extendedTypes: readonly number[] = [0x05, 0x0f, 0x85];
const mostLogical = 60;
const mostGptEntries = 1024;

/**
 * Reads the partition table at the beginning of an image or a device: GPT (UEFI specification 2.10,
 * chapter 5) where a protective MBR announces it, else MBR with its logical partitions, else a file
 * system without a table. Entries that cannot be true make the table untrue as a whole.
 *
 * @param sectorSize of the medium in bytes; a GPT is looked for at 512 and 4096 as well
 * @returns null where nothing is recognised
 */
export function readPartitionTable(reader: ByteReader, sectorSize = 512): PartitionTable | null {
  const whole = recogniseFileSystem(reader, 0);
  const entries = readMbr(bytesAt(reader, 0, 512), whole?.type === 'iso9660');
  if (entries?.some(({ type }) => type === protectiveType) === true) {
    const gpt = readGpt(reader, [...new Set([sectorSize, 512, 4096])]);
    if (gpt !== null) return tableOf('gpt', gpt, whole);
  }
  const partitions = entries === null ? [] : readMbrPartitions(reader, entries, sectorSize);
  if (partitions.length > 0) return tableOf('mbr', partitions, whole);
  if (whole === null) return null;
  return { scheme: 'none', partitions: [], fileSystem: whole, end: whole.size ?? 0 };
}

function tableOf(
  scheme: 'mbr' | 'gpt',
  partitions: readonly Partition[],
  whole: FileSystemHead | null,
): PartitionTable {
  const end = Math.max(...partitions.map(({ start, size }) => start + size));
  return { scheme, partitions, fileSystem: whole?.type === 'iso9660' ? whole : null, end };
}

/**
 * The four entries of a master boot record, or null where it is none. A hybrid ISO image may hold an
 * entry of type 0 that begins at sector 0 and spans the image itself.
 */
function readMbr(sector: Uint8Array, isHybrid: boolean): readonly MbrEntry[] | null {
  if (sector.length < 512 || sector[510] !== 0x55 || sector[511] !== 0xaa) return null;
  const view = viewOf(sector);
  const entries = [0, 1, 2, 3].map((index): MbrEntry => {
    const at = mbrEntriesAt + index * mbrEntryBytes;
    return {
      status: view.getUint8(at),
      type: view.getUint8(at + 4),
      start: view.getUint32(at + 8, true),
      count: view.getUint32(at + 12, true),
    };
  });
  const isSane = ({ status, type, start, count }: MbrEntry): boolean =>
    (status === 0 || status === 0x80) && (type === 0 || isHybrid || (start > 0 && count > 0));
  return entries.every(isSane) ? entries : null;
}

function readMbrPartitions(
  reader: ByteReader,
  entries: readonly MbrEntry[],
  sectorSize: number,
): readonly Partition[] {
  const partitions = entries.flatMap((entry, index) =>
    isUsed(entry) ? [mbrPartition(reader, entry, index + 1, 0, sectorSize)] : [],
  );
  const extended = entries.find(({ type }) => extendedTypes.includes(type));
  if (extended === undefined) return partitions;
  return [...partitions, ...readLogical(reader, extended.start, sectorSize)];
}

/** A protective entry without a GPT protects nothing. */
function isUsed({ type, status, count }: MbrEntry): boolean {
  return count > 0 && type !== protectiveType && (type !== 0 || status === 0x80);
}

/** A chain of records, each with one logical partition and the way to the next. */
function readLogical(reader: ByteReader, base: number, sectorSize: number): readonly Partition[] {
  const logical: Partition[] = [];
  let record = base;
  while (logical.length < mostLogical) {
    const entries = readMbr(bytesAt(reader, record * sectorSize, 512), false);
    const [entry, link] = entries ?? [];
    if (entry === undefined || !isUsed(entry)) break;
    logical.push(mbrPartition(reader, entry, logical.length + 5, record, sectorSize));
    if (link === undefined || !extendedTypes.includes(link.type)) break;
    if (base + link.start <= record) break;
    record = base + link.start;
  }
  return logical;
}

function mbrPartition(
  reader: ByteReader,
  { type, status, start, count }: MbrEntry,
  number: number,
  base: number,
  sectorSize: number,
): Partition {
  const from = (base + start) * sectorSize;
  return {
    number,
    type: `0x${type.toString(16).padStart(2, '0')}`,
    name: null,
    start: from,
    size: count * sectorSize,
    isBootable: status === 0x80,
    fileSystem: extendedTypes.includes(type) ? null : recogniseFileSystem(reader, from),
  };
}

function readGpt(reader: ByteReader, sectorSizes: readonly number[]): readonly Partition[] | null {
  for (const sectorSize of sectorSizes) {
    const partitions = readGptAt(reader, sectorSize);
    if (partitions !== null) return partitions;
  }
  return null;
}

/** UEFI specification 2.10, tables 5.5 (header) and 5.6 (entry). */
function readGptAt(reader: ByteReader, sectorSize: number): readonly Partition[] | null {
  const sector = bytesAt(reader, sectorSize, 512);
  if (sector.length < 512) return null;
  const view = viewOf(sector);
  const headerBytes = view.getUint32(12, true);
  const isHeader =
    view.getBigUint64(0, true) === 0x5452415020494645n && headerBytes >= 92 && headerBytes <= 512;
  if (!isHeader) return null;
  const header = sector.slice(0, headerBytes);
  header.fill(0, 16, 20);
  if (crc32(header) !== view.getUint32(16, true)) return null;

  const count = view.getUint32(80, true);
  const entryBytes = view.getUint32(84, true);
  const isReadable = count <= mostGptEntries && entryBytes >= 128 && entryBytes <= 4096;
  const at = Number(view.getBigUint64(72, true)) * sectorSize;
  if (!isReadable || !Number.isSafeInteger(at)) return null;
  const entries = bytesAt(reader, at, count * entryBytes);
  const isComplete = entries.length === count * entryBytes;
  if (isComplete && crc32(entries) !== view.getUint32(88, true)) return null;

  const partitions: Partition[] = [];
  for (let index = 0; (index + 1) * entryBytes <= entries.length; index++) {
    const entry = entries.subarray(index * entryBytes, index * entryBytes + 128);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
    const partition = gptPartition(reader, entry, index + 1, sectorSize);
    if (partition === null) return null;
    partitions.push(partition);
  }
  return partitions.length === 0 ? null : partitions;
}

function gptPartition(
  reader: ByteReader,
  entry: Uint8Array,
  number: number,
  sectorSize: number,
): Partition | null {
  const view = viewOf(entry);
  const first = Number(view.getBigUint64(32, true));
  const last = Number(view.getBigUint64(40, true));
  const start = first * sectorSize;
  if (first < 2 || last < first || !Number.isSafeInteger((last + 1) * sectorSize)) return null;
  const label = new TextDecoder('utf-16le').decode(entry.subarray(56, 128));
  const name = plainText(label.split('\0')[0] ?? '');
  return {
    number,
    type: guid(entry.subarray(0, 16)),
    name: name === '' ? null : name,
    start,
    size: (last + 1 - first) * sectorSize,
    isBootable: (view.getUint8(48) & 4) !== 0,
    fileSystem: recogniseFileSystem(reader, start),
  };
}

/** The first three groups are stored with their lowest byte first (appendix A). */
function guid(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const hex = order.map((at) => (bytes[at] ?? 0).toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
