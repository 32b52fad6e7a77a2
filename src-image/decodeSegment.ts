import { fail, type FailureError } from '../src-core/Failure.ts';
import { decodeBzip2 } from './bzip2/Bzip2Decoder.ts';
import { decodeGzip } from './gzip/GzipMembers.ts';
import { imageFailures } from './ImageFailures.ts';
import type {
  DecodedChunkSink,
  DecodePlan,
  DecodingRoom,
  ImageFile,
  Segment,
} from './ImageSource.ts';
import { copySegment } from './raw/RawSegment.ts';
import { decodeXzBlock, decodeXzFile } from './xz/XzSegments.ts';
import { decodeZipEntry } from './zip/ZipEntry.ts';
import { decodeZstd } from './zstd/ZstdFrames.ts';

/**
 * Decodes one segment of a plan and hands its bytes to `sink` in order, in chunks of at most 1 MiB.
 * The sink's promise is awaited before its chunk is used again. `inputConsumed` counts the
 * compressed bytes used so far in this segment. Returns only when every check that the format has
 * was verified and the output is exactly `segment.outputSize` where that is known.
 *
 * @param room where the sink would like its bytes to be; by default the decoder has its own memory
 * @throws FailureError image-truncated, image-trailing-garbage, image-corrupt, image-unsupported,
 *   image-unreadable; whatever the sink throws ends the decoding and is passed on unchanged
 */
export async function decodeSegment(
  file: ImageFile,
  plan: DecodePlan,
  segment: Segment,
  sink: DecodedChunkSink,
  room?: DecodingRoom,
): Promise<void> {
  let produced = 0;
  const most = segment.outputSize ?? Infinity;
  const counting: DecodedChunkSink = (chunk, consumed) => {
    produced += chunk.length;
    if (produced > most) throw wrongSize(file, plan);
    return chunk.length > 0 ? sink(chunk, consumed) : undefined;
  };
  await decode(file, plan, segment, counting, room);
  if (segment.outputSize !== null && produced !== most) throw wrongSize(file, plan);
  if (segment.outputSize === null && produced === 0) {
    throw fail('image-empty', { path: file.path });
  }
}

async function decode(
  file: ImageFile,
  plan: DecodePlan,
  segment: Segment,
  sink: DecodedChunkSink,
  room: DecodingRoom | undefined,
): Promise<void> {
  const { details, format } = plan;
  if (details.kind === 'zip-entry') return decodeZipEntry(file, segment, details, sink, room);
  if (details.kind === 'xz-blocks') {
    const header = details.streamHeaders[segment.index];
    if (header === undefined)
      throw new Error(`no stream header for segment ${String(segment.index)}`);
    return decodeXzBlock(file, segment, header, sink);
  }
  switch (format) {
    case 'gzip':
      return decodeGzip(file, sink, room);
    case 'zstd':
      return decodeZstd(file, sink, room);
    case 'xz':
      return decodeXzFile(file, segment, sink);
    case 'bzip2':
      return decodeBzip2(file, sink);
    case 'raw':
    case 'zip':
      return copySegment(file, segment, sink);
  }
}

function wrongSize(file: ImageFile, { format }: DecodePlan): FailureError {
  return imageFailures(format).corrupt(file, 'not the size that it promised');
}
