import { crc32 } from 'node:zlib';
import type { ByteRange } from './RangeMapper.ts';

const mbrSectorSize = 512;
const mbrTable = 446;
const protectiveType = 0xee;
const extendedTypes: readonly number[] = [0x05, 0x0f, 0x85];
const maxGptEntries = 1024;

interface MbrEntry extends ByteRange {
  readonly type: number;
}

/**
 * The regions of an image that may hold a file system of their own, in order and disjoint.
 *
 * Whatever is doubtful is left out, so that it counts as used: partitions that overlap another,
 * logical partitions, a GPT with a wrong checksum or with its array beyond `head`. An image without
 * a partition table is one region without an end.
 *
 * Sources: UEFI specification 2.10, chapter 5 (MBR and GPT).
 * @param head the first bytes of the image, 1 MiB where it has as many
 */
export function partitionRegions(head: Uint8Array): ByteRange[] {
  const entries = mbrEntries(head);
  if (entries === null) return [];
  if (entries.length === 0) return [{ start: 0, end: Infinity }];
  if (!entries.some(({ type }) => type === protectiveType)) {
    const extended = entries.filter(({ type }) => extendedTypes.includes(type));
    return withoutOverlaps(entries).filter(
      ({ start }) => !extended.some((entry) => entry.start === start),
    );
  }
  const gpt = gptRegions(head, 512) ?? gptRegions(head, 4096) ?? [];
  const hybrid = entries.filter(
    (entry) =>
      entry.type !== protectiveType &&
      !gpt.some(({ start, end }) => start === entry.start && end === entry.end),
  );
  return withoutOverlaps([...gpt, ...hybrid]).filter(({ start }) =>
    gpt.some((region) => region.start === start),
  );
}

/** Null where the boot sector has a signature, but no table that makes sense. */
function mbrEntries(head: Uint8Array): MbrEntry[] | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < mbrSectorSize || view.getUint16(510, true) !== 0xaa55) return [];
  const entries: MbrEntry[] = [];
  for (let at = mbrTable; at < 510; at += 16) {
    const type = view.getUint8(at + 4);
    const sectors = view.getUint32(at + 12, true);
    if (type === 0 || sectors === 0) continue;
    if ((view.getUint8(at) & 0x7f) !== 0) return null;
    const start = view.getUint32(at + 8, true) * mbrSectorSize;
    if (start === 0) return null;
    entries.push({ type, start, end: start + sectors * mbrSectorSize });
  }
  return entries;
}

function gptRegions(head: Uint8Array, sectorSize: number): ByteRange[] | null {
  const entries = gptEntryArray(head, sectorSize);
  if (entries === null) return null;
  const regions: ByteRange[] = [];
  const { view, entrySize } = entries;
  for (let at = 0; at < view.byteLength; at += entrySize) {
    if (view.getBigUint64(at, true) === 0n && view.getBigUint64(at + 8, true) === 0n) continue;
    const start = Number(view.getBigUint64(at + 32, true)) * sectorSize;
    const end = (Number(view.getBigUint64(at + 40, true)) + 1) * sectorSize;
    if (start === 0 || end <= start || !Number.isSafeInteger(end)) return null;
    regions.push({ start, end });
  }
  return regions;
}

function gptEntryArray(
  head: Uint8Array,
  sectorSize: number,
): { view: DataView; entrySize: number } | null {
  const header = new Uint8Array(head.subarray(sectorSize, 2 * sectorSize));
  if (header.length < sectorSize) return null;
  const view = new DataView(header.buffer);
  // "EFI PART"
  if (view.getBigUint64(0, true) !== 0x5452415020494645n) return null;
  const headerSize = view.getUint32(12, true);
  if (headerSize < 92 || headerSize > sectorSize) return null;
  const headerChecksum = view.getUint32(16, true);
  view.setUint32(16, 0);
  if (crc32(header.subarray(0, headerSize)) !== headerChecksum) return null;
  const start = Number(view.getBigUint64(72, true)) * sectorSize;
  const count = view.getUint32(80, true);
  const entrySize = view.getUint32(84, true);
  if (view.getBigUint64(24, true) !== 1n || count > maxGptEntries) return null;
  if (entrySize < 128 || entrySize > 4096 || entrySize % 8 !== 0) return null;
  const end = start + count * entrySize;
  if (start < 2 * sectorSize || end > head.length) return null;
  const array = new Uint8Array(head.subarray(start, end));
  if (crc32(array) !== view.getUint32(88, true)) return null;
  return { view: new DataView(array.buffer), entrySize };
}

function withoutOverlaps(regions: readonly ByteRange[]): ByteRange[] {
  const sorted = regions.toSorted((a, b) => a.start - b.start);
  const alone: ByteRange[] = [];
  let reached = 0;
  sorted.forEach(({ start, end }, index) => {
    const next = sorted[index + 1]?.start ?? Infinity;
    if (start >= reached && end <= next) alone.push({ start, end });
    reached = Math.max(reached, end);
  });
  return alone;
}
