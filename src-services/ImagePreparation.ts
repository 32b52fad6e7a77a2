import path from 'node:path';
import type { DriveOrder } from '../src-contract/WriterWire.ts';
import type { ImageFormat } from '../src-core/FlashEvent.ts';
import { readBmap } from '../src-image/blockmap/Bmap.ts';
import { requireImageSize } from '../src-image/blockmap/BmapMapper.ts';
import { surveyRawImage } from '../src-image/blockmap/ExtSurvey.ts';
import { openImage, type ImageIdentity } from '../src-image/FileImage.ts';
import { inspectImage } from '../src-image/ImageInspection.ts';

/** What was asked for about an image; paths as a person gave them. */
export interface ImageRequest {
  readonly image: string;
  /** Lower-case hex, of the decompressed image; null when none is expected. */
  readonly expectedSha256: string | null;
  readonly blockMap: DriveOrder['image']['blockMap'];
  readonly forceRaw: boolean;
}

/** An image that was looked at, and what the writer is told of it. */
export interface PreparedImage {
  readonly format: ImageFormat;
  /** Decompressed bytes; null where the format does not tell before the end. */
  readonly size: number | null;
  /** Bytes that a card must have at least. */
  readonly leastSize: number;
  readonly order: DriveOrder['image'];
}

/**
 * Finds out all that can be found out of an image and its block map without decoding it.
 * @throws FailureError image-*, block-map-*, used-blocks-unavailable
 */
export async function prepareImage(request: ImageRequest): Promise<PreparedImage> {
  const file = path.resolve(request.image);
  const { identity, plan, size, leastSize } = await inspectImage(file, request.forceRaw);
  const { expectedSha256, forceRaw } = request;
  const blockMap =
    request.blockMap?.kind === 'bmap'
      ? { ...request.blockMap, path: path.resolve(request.blockMap.path) }
      : request.blockMap;
  if (blockMap?.kind === 'bmap') {
    const map = readBmap(blockMap.path);
    if (size !== null) requireImageSize(map, size);
  }
  if (blockMap?.kind === 'used-blocks' && plan.format === 'raw') survey(file, identity);
  const { size: fileSize, modified } = identity;
  const order = { path: file, fileSize, modified, expectedSha256, blockMap, forceRaw };
  return { format: plan.format, size, leastSize, order };
}

/** A raw image tells before anything is asked whether its file systems allow `--used-blocks`. */
function survey(file: string, identity: ImageIdentity): void {
  const image = openImage(file, identity);
  try {
    surveyRawImage(image);
  } finally {
    image.close();
  }
}
