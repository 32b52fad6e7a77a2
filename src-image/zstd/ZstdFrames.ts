import { constants, createZstdDecompress } from 'node:zlib';
import { imageFailures } from '../ImageFailures.ts';
import { ImageWindow, viewOf } from '../ImageWindow.ts';
import type { DecodedChunkSink, DecodingRoom, ImageFile } from '../ImageSource.ts';
import { decodeMember } from '../ZlibMember.ts';

const { corrupt, trailingGarbage, truncated, unsupported } = imageFailures('zstd');

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
/** The largest window that is decoded: 128 MiB, what `zstd --long=27` makes. */
const mostWindowLog = 27;
/** Over 128 GiB of image in full blocks. Files of more blocks are checked while they are decoded. */
const mostBlocks = 1_000_000;
/** Read at a time while walking: the headers of blocks lie far apart. */
const walkedBytes = 512;

/**
 * Walks over all frames and their blocks (RFC 8878, section 3.1), reading nothing but their headers.
 * Finds the decompressed size where every frame tells it, and files that are cut or too long.
 *
 * @returns decompressed bytes; null where a frame does not tell or there are too many blocks to walk
 * @throws FailureError image-truncated, image-trailing-garbage, image-corrupt, image-unsupported
 */
export function measureZstd(file: ImageFile): number | null {
  const window = new ImageWindow(file, walkedBytes);
  const budget = { blocks: mostBlocks };
  let size: number | null = 0;
  let position = 0;
  while (position < file.size) {
    const next = afterSkippable(file, window, position);
    if (next === null) {
      const frame = readFrameHeader(file, window, position);
      size = size === null || frame.contentSize === null ? null : size + frame.contentSize;
      const end = endOfBlocks(file, window, frame, budget);
      if (end === null) return null;
      position = end;
    } else {
      position = next;
    }
    if (budget.blocks-- <= 0) return null;
  }
  if (size !== null && !Number.isSafeInteger(size)) throw corrupt(file, 'impossible size');
  return size;
}

/**
 * Decodes all frames, passing over skippable ones; content checksums are verified where present.
 * @throws FailureError image-truncated, image-trailing-garbage, image-corrupt, image-unsupported
 */
export async function decodeZstd(
  file: ImageFile,
  sink: DecodedChunkSink,
  room?: DecodingRoom,
): Promise<void> {
  const window = new ImageWindow(file);
  let position = 0;
  while (position < file.size) {
    const from = position;
    const next = afterSkippable(file, window, from);
    if (next !== null) {
      position = next;
      continue;
    }
    readFrameHeader(file, window, from);
    const stream = createZstdDecompress({
      params: { [constants.ZSTD_d_windowLogMax]: mostWindowLog },
    });
    const placed: DecodedChunkSink = (chunk, consumed) => sink(chunk, from + consumed);
    const range = { from, to: file.size };
    const outcome = await decodeMember(stream, file, range, placed, room);
    position = from + outcome.consumed;
    if (outcome.error !== null) throw decodingFailure(file, outcome.error, position);
    if (position === from) throw corrupt(file, `at ${String(from)}`);
  }
}

function decodingFailure(file: ImageFile, error: string, position: number): Error {
  switch (error) {
    case 'Z_BUF_ERROR':
      return truncated(file);
    case 'ZSTD_error_prefix_unknown':
      return trailingGarbage(file, position);
    case 'ZSTD_error_frameParameter_windowTooLarge':
    case 'ZSTD_error_dictionary_wrong':
    case 'ZSTD_error_version_unsupported':
    case 'ZSTD_error_frameParameter_unsupported':
      return unsupported(file, error.replace('ZSTD_error_', ''));
    default:
      return corrupt(file, `${error.replace('ZSTD_error_', '')} near ${String(position)}`);
  }
}

/** The end of a skippable frame (RFC 8878, 3.1.2); null where another frame begins. */
function afterSkippable(file: ImageFile, window: ImageWindow, position: number): number | null {
  const header = window.at(position, 8);
  if (header.length < 4) throw cutOrGarbage(file, position, header);
  const view = viewOf(header);
  if ((view.getUint32(0, true) & 0xfffffff0) >>> 0 !== skippableMagic) return null;
  if (header.length < 8) throw truncated(file);
  const end = position + 8 + view.getUint32(4, true);
  if (end > file.size) throw truncated(file);
  return end;
}

interface FrameHeader {
  readonly blocks: number;
  readonly contentSize: number | null;
  readonly hasChecksum: boolean;
}

/** RFC 8878, 3.1.1.1. */
function readFrameHeader(file: ImageFile, window: ImageWindow, position: number): FrameHeader {
  const header = window.at(position, 18);
  const view = viewOf(header);
  if (view.getUint32(0, true) !== frameMagic) throw trailingGarbage(file, position);
  if (header.length < 6) throw truncated(file);
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const sizeAt = 5 + (singleSegment ? 0 : 1) + dictionaryBytes;
  if (header.length < sizeAt + sizeBytes) throw truncated(file);
  if ((descriptor & 0x08) !== 0) throw unsupported(file, 'reserved bit');

  const dictionary = header.subarray(sizeAt - dictionaryBytes, sizeAt);
  if (dictionary.some((byte) => byte !== 0)) throw unsupported(file, 'dictionary');
  const contentSize = contentSizeAt(view, sizeAt, sizeBytes);
  const windowSize = singleSegment ? (contentSize ?? 0) : windowSizeOf(view.getUint8(5));
  if (windowSize > 2 ** mostWindowLog) {
    throw unsupported(file, `window of ${String(windowSize)} bytes`);
  }
  return {
    blocks: position + sizeAt + sizeBytes,
    contentSize,
    hasChecksum: (descriptor & 0x04) !== 0,
  };
}

function windowSizeOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSizeAt(view: DataView, at: number, bytes: number): number | null {
  switch (bytes) {
    case 0:
      return null;
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

/** RFC 8878, 3.1.1.2: a header of three bytes before each block; null when the budget is used up. */
function endOfBlocks(
  file: ImageFile,
  window: ImageWindow,
  frame: FrameHeader,
  budget: { blocks: number },
): number | null {
  let position = frame.blocks;
  for (let last = false; !last;) {
    if (budget.blocks-- <= 0) return null;
    const header = window.at(position, 3);
    if (header.length < 3) throw truncated(file);
    const bits = (header[0] ?? 0) | ((header[1] ?? 0) << 8) | ((header[2] ?? 0) << 16);
    const type = (bits >> 1) & 3;
    if (type === 3) throw corrupt(file, `block at ${String(position)}`);
    last = (bits & 1) !== 0;
    position += 3 + (type === 1 ? 1 : bits >> 3);
  }
  const end = position + (frame.hasChecksum ? 4 : 0);
  if (end > file.size) throw truncated(file);
  return end;
}

function cutOrGarbage(file: ImageFile, position: number, rest: Uint8Array): Error {
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  const isCut = rest.every((byte, at) => byte === magic[at]);
  return isCut ? truncated(file) : trailingGarbage(file, position);
}
