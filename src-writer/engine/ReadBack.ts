import type { DeviceChannel } from './DeviceChannel.ts';
import type { JobContext } from './JobContext.ts';
import type { WrittenPiece } from './Manifest.ts';
import { SlotPool } from './Ring.ts';
import { fail } from '../../src-core/Failure.ts';
import type { FailureError } from '../../src-core/Failure.ts';

/** After this many differing pieces the card is bad beyond doubt, and reading on helps nobody. */
const DIFFERENCES_WANTED = 8;

/** What a read-back found. */
interface Differences {
  first: { offset: number; holdsOffset: number | null } | null;
  pieces: number;
  bytes: number;
  checked: number;
}

/**
 * Reads pieces back from the medium and compares their CRC-32 with what was written.
 * @param slots the card's own slots; as many reads are under way
 * @param checked called with the bytes read back so far
 * @throws FailureError read-back-differs, card-counterfeit, or what the channel broke with
 */
export async function readBack(
  channel: DeviceChannel,
  pieces: readonly WrittenPiece[],
  slots: readonly number[],
  job: JobContext,
  checked: (bytes: number) => void,
): Promise<void> {
  const pool = new SlotPool(slots);
  const found: Differences = { first: null, pieces: 0, bytes: 0, checked: 0 };
  const waiting = pieces[Symbol.iterator]();

  const reader = async (): Promise<void> => {
    for (const piece of waiting) {
      if (found.pieces >= DIFFERENCES_WANTED) return;
      const slot = await pool.take();
      await channel.read(job.ring.view(slot, piece.length), piece.offset);
      const crc = await job.digester.check(slot, piece.length);
      pool.give(slot);
      found.checked += piece.length;
      if (crc !== piece.crc)
        note(found, piece, job.manifest.elsewhere(piece.offset, piece.length, crc));
      checked(found.checked);
    }
  };
  await Promise.all(slots.map(reader));
  throwDifferences(found, channel.name);
}

function note(found: Differences, piece: WrittenPiece, holdsOffset: number | null): void {
  found.pieces += 1;
  found.bytes += piece.length;
  // A piece with another's data says more about the card than one with noise.
  if (found.first === null || (found.first.holdsOffset === null && holdsOffset !== null)) {
    found.first = { offset: piece.offset, holdsOffset };
  }
}

function throwDifferences(found: Differences, drive: string): void {
  if (found.first === null) return;
  const { offset, holdsOffset } = found.first;
  if (holdsOffset !== null) throw fail('card-counterfeit', { drive, offset, holdsOffset });
  throw readBackDiffers(drive, offset, found.bytes, found.checked);
}

/** @param differingBytes bytes of the pieces that differ, out of `checkedBytes` */
export function readBackDiffers(
  drive: string,
  offset: number,
  differingBytes: number,
  checkedBytes: number,
): FailureError {
  return fail('read-back-differs', { drive, offset, differingBytes, checkedBytes });
}
