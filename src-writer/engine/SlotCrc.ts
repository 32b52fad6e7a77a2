import { crc32 } from 'node:zlib';
import { SLOT_BYTES } from './Ring.ts';

/** Card images are mostly zeros, and comparing with zeros is several times faster than a CRC. */
const zeros = Buffer.alloc(SLOT_BYTES);
const crcOfZeros = new Map<number, number>();

/** CRC-32 (as in zlib) of at most a slot of bytes. */
export function slotCrc(bytes: Uint8Array): number {
  const blank = zeros.subarray(0, bytes.length);
  if (Buffer.compare(bytes, blank) !== 0) return crc32(bytes);
  const known = crcOfZeros.get(bytes.length);
  if (known !== undefined) return known;
  const crc = crc32(blank);
  crcOfZeros.set(bytes.length, crc);
  return crc;
}
