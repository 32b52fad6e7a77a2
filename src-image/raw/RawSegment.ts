import { imageFailures } from '../ImageFailures.ts';
import type { DecodedChunkSink, ImageFile, Segment } from '../ImageSource.ts';

const chunkBytes = 1024 * 1024;

/**
 * Hands on the bytes of a segment as they stand in the file.
 * @throws FailureError image-truncated, image-unreadable
 */
export async function copySegment(
  file: ImageFile,
  segment: Segment,
  sink: DecodedChunkSink,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(chunkBytes, segment.inputSize));
  for (let done = 0; done < segment.inputSize;) {
    const wanted = buffer.subarray(0, segment.inputSize - done);
    const got = file.read(wanted, segment.inputOffset + done);
    if (got === 0) throw imageFailures('raw').truncated(file);
    done += got;
    await sink(wanted.subarray(0, got), done);
  }
}
