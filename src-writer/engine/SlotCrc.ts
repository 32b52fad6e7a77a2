import { crc32 } from 'node:zlib';
import { SLOT_BYTES } from './Ring.ts';

/** Card images are mostly zeros, and comparing with zeros is several times faster than a CRC. */
const zeros = Buffer.alloc(SLOT_BYTES);
const crcOfZeros = new Map<number, number>();

/** Whether at most a slot of bytes holds nothing but zeros. */
export function isBlank(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, zeros.subarray(0, bytes.length)) === 0;
}

/** CRC-32 (as in zlib) of at most a slot of bytes. */
export function slotCrc(bytes: Uint8Array): number {
  return isBlank(bytes) ? crcOfBlank(bytes.length) : crc32(bytes);
}

/** CRC-32 of that many zeros, at most a slot. */
export function crcOfBlank(length: number): number {
  const crc = crcOfZeros.get(length) ?? crc32(zeros.subarray(0, length));
  crcOfZeros.set(length, crc);
  return crc;
}
