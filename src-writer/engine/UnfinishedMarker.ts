import { unfinishedMarkerSchema } from '../../src-contract/WriterWire.ts';
import type { UnfinishedMarker } from '../../src-contract/WriterWire.ts';
import { UNFINISHED_LABEL } from '../../src-core/Drive.ts';

/** Bytes of a card that the marker occupies, from its beginning. */
export const MARKER_BYTES = 4096;

const MAGIC = 'BOXWRIGHT-UNFINISHED 1\n';
const TEXT_OFFSET = 512;
const TEXT_BYTES = 512;

/** Offsets of a version-1 swap header: Linux include/linux/swap.h, union swap_header. */
const SWAP = {
  version: 1024,
  lastPage: 1028,
  badPages: 1032,
  label: 1052,
  magic: 4086,
} as const;

/**
 * The first 4 KiB of a card while its flash is under way: no partition table in the first sector,
 * the job in the second, and around them a swap header with a label. libblkid (libblkid/src/superblocks/swap.c)
 * reports that label to every scan, so that an unprivileged `boxwright drives` sees it as well. The
 * number of bad pages is beyond what the kernel accepts (mm/swapfile.c, read_swap_header), so that
 * the card can never be used as swap.
 */
export function encodeMarker(marker: UnfinishedMarker): Uint8Array {
  const bytes = new Uint8Array(MARKER_BYTES);
  const text = new TextEncoder().encode(
    MAGIC + JSON.stringify(unfinishedMarkerSchema.parse(marker)),
  );
  if (text.length > TEXT_BYTES) throw new RangeError('unfinished marker too long');
  bytes.set(text, TEXT_OFFSET);
  const view = new DataView(bytes.buffer);
  view.setUint32(SWAP.version, 1, true);
  view.setUint32(SWAP.lastPage, 1, true);
  view.setUint32(SWAP.badPages, 0xffff_ffff, true);
  bytes.set(new TextEncoder().encode(UNFINISHED_LABEL), SWAP.label);
  bytes.set(new TextEncoder().encode('SWAPSPACE2'), SWAP.magic);
  return bytes;
}

/** The marker in the first bytes of a card, or null when there is none. */
export function decodeMarker(head: Uint8Array): UnfinishedMarker | null {
  const text = new TextDecoder().decode(head.slice(TEXT_OFFSET, TEXT_OFFSET + TEXT_BYTES));
  if (!text.startsWith(MAGIC)) return null;
  const end = text.indexOf('\0');
  try {
    const value: unknown = JSON.parse(text.slice(MAGIC.length, end < 0 ? undefined : end));
    const marker = unfinishedMarkerSchema.safeParse(value);
    return marker.success ? marker.data : null;
  } catch {
    return null;
  }
}
