import type { ImageFormat } from '../src-core/FlashEvent.ts';
import { fail } from '../src-core/Failure.ts';
import { checkBzip2Header } from './bzip2/Bzip2Decoder.ts';
import { checkGzipHeader } from './gzip/GzipMembers.ts';
import type { DecodePlan, FormatDetails, ImageFile, Segment } from './ImageSource.ts';
import { readXzIndex, type XzIndex } from './xz/XzIndex.ts';
import { findZippedImage } from './zip/ZipDirectory.ts';
import { measureZstd } from './zstd/ZstdFrames.ts';

/** Blocks of more decompressed bytes than this are not worth decoding in parallel: one would wait. */
export const largestParallelBlock = 64 * 1024 * 1024;

/**
 * Recognises the format of an image file by its content and finds out how to decode it, reading only
 * headers, indexes and directories. Anything without the magic bytes of a known compression is raw.
 *
 * @throws FailureError image-truncated, image-trailing-garbage, image-corrupt, image-unsupported,
 *   image-empty, image-zip-empty, image-zip-several, image-unreadable
 */
export function planDecode(file: ImageFile): DecodePlan {
  const plan = planOf(file, recogniseFormat(file));
  if (plan.size === 0) throw fail('image-empty', { path: file.path });
  return plan;
}

function planOf(file: ImageFile, format: ImageFormat): DecodePlan {
  switch (format) {
    case 'raw':
      return wholeFile(file, format, file.size);
    case 'gzip':
      checkGzipHeader(file);
      return wholeFile(file, format, null);
    case 'bzip2':
      checkBzip2Header(file);
      return wholeFile(file, format, null);
    case 'zstd':
      return wholeFile(file, format, measureZstd(file));
    case 'xz':
      return planXz(file, readXzIndex(file));
    case 'zip':
      return planZip(file);
  }
}

/** Magic bytes: RFC 1952, RFC 8878, The .xz File Format 1.2.1, bzip2, APPNOTE.TXT 6.3.10. */
function recogniseFormat(file: ImageFile): ImageFormat {
  const head = new Uint8Array(10);
  const length = file.read(head, 0);
  const begins = (...magic: readonly number[]): boolean =>
    length >= magic.length && magic.every((byte, at) => head[at] === byte);

  if (begins(0x1f, 0x8b, 8)) return 'gzip';
  if (begins(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return 'xz';
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  const isSkippable = ((head[0] ?? 0) & 0xf0) === 0x50 && begins(head[0] ?? 0, 0x2a, 0x4d, 0x18);
  if (isSkippable) return 'zstd';
  if (begins(0x42, 0x5a, 0x68) && isBzip2(head)) return 'bzip2';
  if (begins(0x50, 0x4b, 3, 4) || begins(0x50, 0x4b, 5, 6) || begins(0x50, 0x4b, 7, 8))
    return 'zip';
  return 'raw';
}

/** After "BZh" a digit, then the magic of a block or of the end of the stream. */
function isBzip2(head: Uint8Array): boolean {
  const level = head[3] ?? 0;
  return level >= 0x31 && level <= 0x39 && (head[4] === 0x31 || head[4] === 0x17);
}

function planXz(file: ImageFile, index: XzIndex | null): DecodePlan {
  const blocks = index?.blocks ?? [];
  const isParallel =
    blocks.length > 1 &&
    blocks.every(({ outputSize }) => outputSize > 0 && outputSize <= largestParallelBlock);
  if (!isParallel) return wholeFile(file, 'xz', index?.size ?? null);

  let outputOffset = 0;
  const segments: Segment[] = blocks.map((block, index) => {
    const { inputOffset, unpaddedSize: inputSize, outputSize } = block;
    const segment = { index, outputOffset, outputSize, inputOffset, inputSize };
    outputOffset += outputSize;
    return segment;
  });
  const streamHeaders = blocks.map(({ streamHeader }) => streamHeader);
  return {
    format: 'xz',
    size: outputOffset,
    segments,
    details: { kind: 'xz-blocks', streamHeaders },
  };
}

function planZip(file: ImageFile): DecodePlan {
  const { method, crc32, inputOffset, inputSize, outputSize } = findZippedImage(file);
  const segment = { index: 0, outputOffset: 0, outputSize, inputOffset, inputSize };
  return {
    format: 'zip',
    size: outputSize,
    segments: [segment],
    details: { kind: 'zip-entry', method, crc32 },
  };
}

function wholeFile(file: ImageFile, format: ImageFormat, size: number | null): DecodePlan {
  const details: FormatDetails = { kind: 'plain' };
  const segment = {
    index: 0,
    outputOffset: 0,
    outputSize: size,
    inputOffset: 0,
    inputSize: file.size,
  };
  return { format, size, segments: [segment], details };
}
