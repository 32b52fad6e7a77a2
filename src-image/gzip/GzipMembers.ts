import { createInflateRaw, crc32 } from 'node:zlib';
import { imageFailures } from '../ImageFailures.ts';
import { ImageWindow, skipZeros, viewOf } from '../ImageWindow.ts';
import type { DecodedChunkSink, DecodingRoom, ImageFile } from '../ImageSource.ts';
import { decodeMember } from '../ZlibMember.ts';

const { corrupt, trailingGarbage, truncated } = imageFailures('gzip');

const fixedHeaderBytes = 10;
const trailerBytes = 8;
const mostNameBytes = 32 * 1024;
/** RFC 1952, 2.3.1. */
const flag = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

/**
 * Decodes all members of a gzip file (RFC 1952), each with its CRC-32 and length checked; zero bytes
 * after the last member are padding.
 * @throws FailureError image-truncated, image-trailing-garbage, image-corrupt
 */
export async function decodeGzip(
  file: ImageFile,
  sink: DecodedChunkSink,
  room?: DecodingRoom,
): Promise<void> {
  const window = new ImageWindow(file);
  let position = 0;
  while (position < file.size && !isPadding(file, window, position)) {
    const body = endOfHeader(file, window, position);
    if (body === null) {
      throw trailingGarbage(file, position);
    }
    position = await decodeBody(file, window, body, sink, room);
  }
}

/**
 * Checks the header of the first member.
 * @throws FailureError image-truncated, image-corrupt
 */
export function checkGzipHeader(file: ImageFile): void {
  const body = endOfHeader(file, new ImageWindow(file), 0);
  if (body === null) throw corrupt(file, 'header');
  if (body + trailerBytes > file.size) throw truncated(file);
}

async function decodeBody(
  file: ImageFile,
  window: ImageWindow,
  body: number,
  sink: DecodedChunkSink,
  room: DecodingRoom | undefined,
): Promise<number> {
  let sum = 0;
  let length = 0;
  const stream = createInflateRaw();
  const summing: DecodedChunkSink = (chunk, consumed) => {
    sum = crc32(chunk, sum);
    length += chunk.length;
    return sink(chunk, body + consumed);
  };
  const range = { from: body, to: file.size };
  const outcome = await decodeMember(stream, file, range, summing, room);
  if (outcome.error === 'Z_BUF_ERROR') throw truncated(file);
  const end = body + outcome.consumed;
  if (outcome.error !== null) throw corrupt(file, `at ${String(end)}`);
  const trailer = window.at(end, trailerBytes);
  if (trailer.length < trailerBytes) throw truncated(file);
  const view = viewOf(trailer);
  if (view.getUint32(0, true) !== sum) throw corrupt(file, 'CRC-32');
  if (view.getUint32(4, true) !== length % 2 ** 32) throw corrupt(file, 'length');
  return end + trailerBytes;
}

/** Whether only zero bytes follow; a zero byte can begin no member. */
function isPadding(file: ImageFile, window: ImageWindow, position: number): boolean {
  if (position === 0 || window.at(position, 1)[0] !== 0) return false;
  if (skipZeros(window, position, file.size) === file.size) return true;
  throw trailingGarbage(file, position);
}

/** Where the deflate stream of a member begins; null where there is no member. */
function endOfHeader(file: ImageFile, window: ImageWindow, position: number): number | null {
  const header = window.at(position, fixedHeaderBytes);
  const magic = [0x1f, 0x8b, 8];
  if (magic.some((byte, at) => at < header.length && header[at] !== byte)) return null;
  if (header.length < fixedHeaderBytes) throw truncated(file);
  const flags = header[3] ?? 0;
  if ((flags & flag.reserved) !== 0) throw corrupt(file, 'header');

  let at = position + fixedHeaderBytes;
  if ((flags & flag.extra) !== 0) {
    const length = window.at(at, 2);
    if (length.length < 2) throw truncated(file);
    at += 2 + viewOf(length).getUint16(0, true);
  }
  if ((flags & flag.name) !== 0) at = afterText(file, window, at);
  if ((flags & flag.comment) !== 0) at = afterText(file, window, at);
  if ((flags & flag.headerCrc) !== 0) at = checkHeaderCrc(file, position, at);
  if (at > file.size) throw truncated(file);
  return at;
}

function afterText(file: ImageFile, window: ImageWindow, at: number): number {
  const text = window.at(at, mostNameBytes);
  const end = text.indexOf(0);
  if (end >= 0) return at + end + 1;
  throw text.length < mostNameBytes ? truncated(file) : corrupt(file, 'header');
}

/** RFC 1952, 2.3.1: the two low bytes of the CRC-32 of the header before them. */
function checkHeaderCrc(file: ImageFile, from: number, at: number): number {
  const header = new Uint8Array(at + 2 - from);
  if (file.read(header, from) < header.length) throw truncated(file);
  const sum = crc32(header.subarray(0, -2)) & 0xffff;
  if (viewOf(header).getUint16(at - from, true) !== sum) throw corrupt(file, 'header CRC');
  return at + 2;
}
