import { fail } from '../../src-core/Failure.ts';
import type { ImageFile } from '../ImageSource.ts';
import { extHeadBytes, recogniseExt, type ExtSuperblock } from './ExtSuperblock.ts';
import { partitionRegions } from './PartitionRegions.ts';
import { alwaysUsedBytes, type ByteRange } from './RangeMapper.ts';

/** Whether an image has an ext2, ext3 or ext4 file system whose free blocks can be told. */
export class ExtSurvey {
  #found = false;
  #obstacle: string | null = null;

  /**
   * Looks at the first {@link extHeadBytes} bytes of a partition.
   * @throws FailureError used-blocks-unavailable
   */
  judge({ start, end }: ByteRange, head: Uint8Array): ExtSuperblock | null {
    const recognition = recogniseExt(head, start, end - start);
    if (recognition.kind === 'unusable') this.#obstacle ??= recognition.detail;
    if (recognition.kind !== 'usable') return null;
    this.#found = true;
    return recognition.superblock;
  }

  /** @throws FailureError used-blocks-unavailable where none was found */
  requireOne(): void {
    if (this.#found) return;
    const detail = this.#obstacle ?? 'no ext2, ext3 or ext4 file system was found';
    throw fail('used-blocks-unavailable', { detail });
  }
}

/**
 * Finds out before anything is touched whether the free blocks of a raw image can be told; of a
 * compressed one the mapper finds out while it streams by.
 * @throws FailureError used-blocks-unavailable, image-unreadable
 */
export function surveyRawImage(file: ImageFile): void {
  const survey = new ExtSurvey();
  const bytesAt = (position: number, length: number): Uint8Array => {
    const target = new Uint8Array(length);
    return target.subarray(0, file.read(target, position));
  };
  for (const region of partitionRegions(bytesAt(0, alwaysUsedBytes))) {
    const length = Math.min(extHeadBytes, region.end - region.start);
    if (region.start >= file.size) continue;
    const head = bytesAt(region.start, length);
    if (head.length === length) survey.judge(region, head);
  }
  survey.requireOne();
}
