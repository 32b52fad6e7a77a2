import { fail } from '../src-core/Failure.ts';
import { decodeSegment } from './decodeSegment.ts';
import type { DecodePlan, ImageFile } from './ImageSource.ts';
import type { ByteReader } from './ImageWindow.ts';
import { readPartitionTable, type PartitionTable } from './PartitionTable.ts';

/** Decompressed bytes that are looked at before an image is accepted. */
export const imageHeadBytes = 64 * 1024;

/** Thrown through a decoder to end it early. */
class HeadComplete extends Error {}

/**
 * Decodes the first 64 KiB of an image, or all of it where it is smaller, and no more.
 * @throws FailureError as decodeSegment
 */
export async function readImageHead(file: ImageFile, plan: DecodePlan): Promise<Uint8Array> {
  const head = new Uint8Array(imageHeadBytes);
  let filled = 0;
  for (const segment of plan.segments) {
    try {
      await decodeSegment(file, plan, segment, (chunk) => {
        const wanted = chunk.subarray(0, head.length - filled);
        head.set(wanted, filled);
        filled += wanted.length;
        if (filled === head.length) throw new HeadComplete();
      });
    } catch (cause) {
      if (!(cause instanceof HeadComplete)) throw cause;
      break;
    }
  }
  return head.subarray(0, filled);
}

/**
 * Decides by its first 64 KiB whether these bytes are the image of a card: an MBR with entries that
 * can be true, a GPT, or a FAT or ext file system without a table.
 *
 * @param imageSize decompressed bytes where known: a table that reaches beyond them tells of a cut image
 * @param forceRaw accepts anything
 * @returns what was recognised; null only with `forceRaw`
 * @throws FailureError image-empty, image-not-recognised, image-no-partition-table, image-truncated
 */
export function checkImageHead(
  head: Uint8Array,
  imageSize: number | null,
  path: string,
  forceRaw: boolean,
): PartitionTable | null {
  if (head.length === 0) throw fail('image-empty', { path });
  const table = readPartitionTable(readerOf(head));
  if (forceRaw) return table;
  const type = table?.fileSystem?.type;
  if (table?.scheme === 'none' && type === 'iso9660') {
    throw fail('image-no-partition-table', { path });
  }
  const isCard = table !== null && (table.scheme !== 'none' || isBootableAlone(type));
  if (!isCard) throw fail('image-not-recognised', { path });
  if (imageSize !== null && imageSize < promisedSize(table)) {
    throw fail('image-truncated', { path, format: 'raw' });
  }
  return table;
}

/** Bytes that an image must have by its own table; 0 where that says nothing. */
export function promisedSize(table: PartitionTable | null): number {
  // Tables of hybrid ISO images are rounded up to cylinders that the file need not have.
  return table === null || table.fileSystem?.type === 'iso9660' ? 0 : table.end;
}

/** A FAT or ext file system that fills a medium without partitions. */
function isBootableAlone(type: string | undefined): boolean {
  return type !== undefined && /^(fat|ext)[0-9]+$/.test(type);
}

function readerOf(bytes: Uint8Array): ByteReader {
  return {
    read(target, position) {
      const piece = bytes.subarray(position, position + target.length);
      target.set(piece);
      return piece.length;
    },
  };
}
