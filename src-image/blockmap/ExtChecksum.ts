function reflectedTable(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) {
      value = (value & 1) === 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    }
    return value;
  });
}

const crc32cTable = reflectedTable(0x82f63b78);
const crc16Table = reflectedTable(0xa001);

function crc(table: Uint32Array, seed: number, bytes: Uint8Array): number {
  let value = seed;
  for (const byte of bytes) {
    value = (value >>> 8) ^ (table[(value ^ byte) & 0xff] ?? 0);
  }
  return value >>> 0;
}

/**
 * CRC-32C as ext4 chains it: no inversion at the end, the first seed is 0xffffffff.
 * Source: Linux Documentation/filesystems/ext4/checksums.rst.
 */
export function crc32c(seed: number, bytes: Uint8Array): number {
  return crc(crc32cTable, seed, bytes);
}

/**
 * CRC-16 (reflected polynomial 0xa001) of group descriptors with the gdt_csum feature; the first
 * seed is 0xffff. Source: Linux Documentation/filesystems/ext4/group_descr.rst, lib/crc16.c.
 */
export function crc16(seed: number, bytes: Uint8Array): number {
  return crc(crc16Table, seed, bytes);
}
