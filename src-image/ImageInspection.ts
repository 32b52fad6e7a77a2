import { planDecode } from './DecodePlan.ts';
import { openImage, type ImageIdentity } from './FileImage.ts';
import { checkImageHead, readImageHead } from './ImageHead.ts';
import type { DecodePlan } from './ImageSource.ts';
import type { PartitionTable } from './PartitionTable.ts';

/** What can be said of an image before anyone is asked for permission. */
export interface ImageInspection {
  /** Hand it to `openImage` later, so that a file changed in between is noticed. */
  readonly identity: ImageIdentity;
  readonly plan: DecodePlan;
  /** Decompressed bytes; null where the format does not tell before the end. */
  readonly size: number | null;
  /** The card must have at least so many bytes: `size`, or else where the last partition ends. */
  readonly leastSize: number;
  /** What its first 64 KiB show; null only where anything was to be accepted. */
  readonly table: PartitionTable | null;
}

/**
 * Looks at an image file without decoding more than its first 64 KiB.
 *
 * @param forceRaw accepts an image that shows no partition table and no file system
 * @throws FailureError image-not-found, image-unreadable, image-not-a-file, image-empty,
 *   image-not-recognised, image-no-partition-table, image-truncated, image-trailing-garbage,
 *   image-corrupt, image-unsupported, image-zip-empty, image-zip-several, image-changed
 */
export async function inspectImage(path: string, forceRaw = false): Promise<ImageInspection> {
  const file = openImage(path);
  try {
    const plan = planDecode(file);
    const head = await readImageHead(file, plan);
    const table = checkImageHead(head, plan.size, path, forceRaw);
    await file.checkUnchanged();
    const leastSize = plan.size ?? Math.max(table?.end ?? 0, head.length);
    return { identity: file.identity, plan, size: plan.size, leastSize, table };
  } finally {
    file.close();
  }
}
