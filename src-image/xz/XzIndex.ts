import { crc32 } from 'node:zlib';
import { imageFailures } from '../ImageFailures.ts';
import { bytesAt, ImageWindow, skipZeros, viewOf } from '../ImageWindow.ts';
import type { ImageFile } from '../ImageSource.ts';

const { corrupt, trailingGarbage, truncated, unsupported } = imageFailures('xz');

/** One block of an .xz file, as its stream's index tells. Sizes and offsets in bytes. */
export interface XzBlock {
  readonly inputOffset: number;
  /** Without the padding to a multiple of four that follows it in the file. */
  readonly unpaddedSize: number;
  readonly outputSize: number;
  /** The 12 bytes of the header of its stream, hex. */
  readonly streamHeader: string;
}

export interface XzIndex {
  /** Decompressed bytes of all streams. */
  readonly size: number;
  /** In file order; null where there are more than {@link mostBlocks}. */
  readonly blocks: readonly XzBlock[] | null;
}

/** More blocks than any sensible image has (64 GiB in blocks of 1 MiB). */
export const mostBlocks = 65_536;

const headerBytes = 12;
const headerMagic = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const footerMagic = [0x59, 0x5a];
const mostIndexBytes = 16 * 1024 * 1024;
const mostStreams = 4096;
const mostPadding = 64 * 1024 * 1024;
const garbageSearched = 1024 * 1024;
const unreadable = Symbol('an index too large to read ahead');

/**
 * Reads the indexes of all streams from the end of the file to its beginning and checks them against
 * each other, the footers and the headers (The .xz File Format 1.2.1, sections 2, 3 and 4).
 *
 * @returns null where it is legal but too large to be read ahead (over 16 MiB of index, 4096 streams)
 * @throws FailureError image-truncated, image-trailing-garbage, image-corrupt, image-unsupported
 */
export function readXzIndex(file: ImageFile): XzIndex | null {
  const window = new ImageWindow(file);
  const firstHeader = window.at(0, headerBytes).slice();
  if (firstHeader.length < headerBytes) throw truncated(file);
  checkHeader(file, firstHeader);

  let end = endOfLastStream(file);
  const streams: XzStream[] = [];
  while (end > 0) {
    if (streams.length === mostStreams) return null;
    const stream = readStream(file, end);
    if (stream === unreadable) return null;
    streams.push(stream);
    end = endBeforePadding(file, stream.start);
  }
  return joined(file, streams.reverse());
}

interface XzStream {
  readonly start: number;
  readonly header: string;
  /** Pairs of unpadded size and decompressed size. */
  readonly records: readonly (readonly [number, number])[];
}

function joined(file: ImageFile, streams: readonly XzStream[]): XzIndex {
  const count = streams.reduce((sum, stream) => sum + stream.records.length, 0);
  const blocks: XzBlock[] = [];
  let size = 0;
  for (const { start, header, records } of streams) {
    let inputOffset = start + headerBytes;
    for (const [unpaddedSize, outputSize] of records) {
      if (count <= mostBlocks) {
        blocks.push({ inputOffset, unpaddedSize, outputSize, streamHeader: header });
      }
      inputOffset += roundedUp(unpaddedSize);
      size += outputSize;
    }
  }
  if (!Number.isSafeInteger(size)) throw corrupt(file, 'the index claims an impossible size');
  return { size, blocks: count <= mostBlocks ? blocks : null };
}

function readStream(file: ImageFile, end: number): XzStream | typeof unreadable {
  const footer = bytesAt(file, end - headerBytes, headerBytes);
  if (!isFooter(footer)) throw corrupt(file, `no stream ends at ${String(end)}`);
  const indexSize = (viewOf(footer).getUint32(4, true) + 1) * 4;
  const indexStart = end - headerBytes - indexSize;
  if (indexStart < headerBytes) throw corrupt(file, 'the index does not fit into the file');
  if (indexSize > mostIndexBytes) return unreadable;
  const records = readRecords(file, bytesAt(file, indexStart, indexSize), indexStart);

  const start = records.reduce((at, [size]) => at - roundedUp(size), indexStart) - headerBytes;
  if (start < 0) throw corrupt(file, 'the blocks of the index do not fit into the file');
  const header = bytesAt(file, start, headerBytes);
  checkHeader(file, header);
  if (header[6] !== footer[8] || header[7] !== footer[9]) {
    throw corrupt(file, 'stream header and footer differ');
  }
  return { start, header: Buffer.from(header).toString('hex'), records };
}

/** Section 4: indicator, number of records, records, padding, CRC32. */
function readRecords(
  file: ImageFile,
  index: Uint8Array,
  room: number,
): readonly (readonly [number, number])[] {
  const view = viewOf(index);
  const crcAt = index.length - 4;
  if (index[0] !== 0 || crc32(index.subarray(0, crcAt)) !== view.getUint32(crcAt, true)) {
    throw corrupt(file, 'the index is damaged');
  }
  let at = 1;
  const next = (): number => {
    let value = 0;
    for (let factor = 1, length = 0; length < 9; length++, factor *= 128) {
      const byte = at < crcAt ? index[at++] : undefined;
      if (byte === undefined || (byte === 0 && length > 0)) break;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw corrupt(file, 'the index holds no valid number');
  };
  const count = next();
  const records: (readonly [number, number])[] = [];
  for (let record = 0; record < count; record++) {
    const unpaddedSize = next();
    const outputSize = next();
    if (unpaddedSize < 5 || unpaddedSize > room || !Number.isSafeInteger(outputSize)) {
      throw corrupt(file, 'the index claims an impossible block');
    }
    records.push([unpaddedSize, outputSize]);
  }
  if (crcAt - at > 3 || index.subarray(at, crcAt).some((byte) => byte !== 0)) {
    throw corrupt(file, 'the index is longer than its records');
  }
  return records;
}

/** Section 2.1.1. @throws FailureError image-corrupt, image-unsupported */
function checkHeader(file: ImageFile, header: Uint8Array): void {
  const flags = header.subarray(6, 8);
  if (!headerMagic.every((byte, at) => header[at] === byte)) {
    throw corrupt(file, 'a stream header is missing');
  }
  if (crc32(flags) !== viewOf(header).getUint32(8, true)) {
    throw corrupt(file, 'a stream header is damaged');
  }
  const check = flags[1] ?? 0;
  if (flags[0] !== 0 || ![0, 1, 4, 10].includes(check)) {
    const detail = `check method ${String(check)}`;
    throw unsupported(file, detail);
  }
}

/** Section 2.1.2: its CRC covers the backward size and the flags. */
function isFooter(footer: Uint8Array): boolean {
  return (
    footer.length === headerBytes &&
    footer[10] === footerMagic[0] &&
    footer[11] === footerMagic[1] &&
    crc32(footer.subarray(4, 10)) === viewOf(footer).getUint32(0, true)
  );
}

/** Where the last stream ends: before the padding, which is a multiple of four zero bytes. */
function endOfLastStream(file: ImageFile): number {
  const end = endBeforePadding(file, file.size);
  if (end >= 2 * headerBytes && isFooter(bytesAt(file, end - headerBytes, headerBytes))) return end;
  const found = lastFooter(file);
  if (found === null) throw truncated(file);
  const follows = skipZeros(new ImageWindow(file), found, file.size);
  const after = bytesAt(file, follows, headerMagic.length);
  if (follows % 4 === 0 && after.every((byte, at) => byte === headerMagic[at])) {
    if (after.length > 0) throw truncated(file);
  }
  throw trailingGarbage(file, found);
}

/** The end of the last footer within the last MiB; stream sizes are multiples of four. */
function lastFooter(file: ImageFile): number | null {
  const from = Math.max(0, file.size - garbageSearched);
  const tail = bytesAt(file, from - (from % 4), file.size - from + (from % 4));
  for (let at = tail.length - (tail.length % 4); at >= headerBytes; at -= 4) {
    if (isFooter(tail.subarray(at - headerBytes, at))) return from - (from % 4) + at;
  }
  return null;
}

/** Section 2.2. Padding that is no multiple of four is left in place, where no footer will be found. */
function endBeforePadding(file: ImageFile, end: number): number {
  const piece = new Uint8Array(64 * 1024);
  let at = end;
  while (at > 0 && end - at <= mostPadding) {
    const from = Math.max(0, at - piece.length);
    const got = file.read(piece.subarray(0, at - from), from);
    let last = got;
    while (last > 0 && piece[last - 1] === 0) last--;
    at = from + last;
    if (last > 0) break;
  }
  return end - Math.floor((end - at) / 4) * 4;
}

function roundedUp(size: number): number {
  return Math.ceil(size / 4) * 4;
}
