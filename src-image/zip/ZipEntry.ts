import { createInflateRaw, crc32 } from 'node:zlib';
import { imageFailures } from '../ImageFailures.ts';
import type {
  DecodedChunkSink,
  DecodingRoom,
  FormatDetails,
  ImageFile,
  Segment,
} from '../ImageSource.ts';
import { decodeMember } from '../ZlibMember.ts';
import { copySegment } from '../raw/RawSegment.ts';

const { corrupt } = imageFailures('zip');

/**
 * Decodes the image of a zip file and checks its CRC-32; that all of its compressed bytes were used
 * is checked as well.
 * @throws FailureError image-truncated, image-corrupt, image-unreadable
 */
export async function decodeZipEntry(
  file: ImageFile,
  segment: Segment,
  details: Extract<FormatDetails, { kind: 'zip-entry' }>,
  sink: DecodedChunkSink,
  room?: DecodingRoom,
): Promise<void> {
  let sum = 0;
  const summing: DecodedChunkSink = (chunk, consumed) => {
    sum = crc32(chunk, sum);
    return sink(chunk, consumed);
  };
  if (details.method === 'stored') await copySegment(file, segment, summing);
  else await inflate(file, segment, summing, room);
  if (sum !== details.crc32) throw corrupt(file, 'CRC-32');
}

async function inflate(
  file: ImageFile,
  segment: Segment,
  sink: DecodedChunkSink,
  room: DecodingRoom | undefined,
): Promise<void> {
  const range = { from: segment.inputOffset, to: segment.inputOffset + segment.inputSize };
  const stream = createInflateRaw();
  const { error, consumed } = await decodeMember(stream, file, range, sink, room);
  if (error !== null) throw corrupt(file, `at ${String(segment.inputOffset + consumed)}`);
  if (consumed !== segment.inputSize) throw corrupt(file, 'compressed size');
}
