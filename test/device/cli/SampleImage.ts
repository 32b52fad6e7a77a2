import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const SECTOR = 512;

/**
 * A sparse raw image with an MBR of one FAT32 partition, and a few words in every MiB of its first
 * megabytes, so that a chunk in the wrong place would be noticed.
 */
export function makeImage(file: string, bytes: number): void {
  const sectors = bytes / SECTOR;
  const table = Buffer.alloc(SECTOR);
  table.set([0, 0, 0, 0, 0x0c, 0, 0, 0], 446);
  table.writeUInt32LE(2048, 454);
  table.writeUInt32LE(sectors - 2048, 458);
  table.writeUInt16LE(0xaa55, 510);
  const fd = openSync(file, 'w');
  ftruncateSync(fd, bytes);
  writeSync(fd, table, 0, SECTOR, 0);
  const last = Math.min(bytes, 64 * 1024 * 1024);
  for (let offset = 1024 * 1024; offset < last; offset += 1024 * 1024) {
    writeSync(fd, `here is ${String(offset)}`, offset);
  }
  closeSync(fd);
}
