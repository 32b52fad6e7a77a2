import { createCipheriv, createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

const SECTOR = 512;

/** An image made by the test: a partition table and, after it, bytes that nothing can guess or compress. */
export class TestImage {
  /** Its file name, which ends in .img or .img.gz. */
  readonly name: string;
  /** The decompressed image. */
  readonly bytes: Buffer;
  readonly sha256: string;

  /**
   * @param mebibytes its size
   * @param seed makes the same bytes again
   */
  constructor(name: string, mebibytes: number, seed: number) {
    this.name = name;
    this.bytes = noise(mebibytes << 20, seed);
    partitionTable(this.bytes.length).copy(this.bytes);
    this.sha256 = createHash('sha256').update(this.bytes).digest('hex');
  }

  async writeTo(folder: string): Promise<void> {
    const content = this.name.endsWith('.gz') ? gzipSync(this.bytes, { level: 1 }) : this.bytes;
    await writeFile(path.join(folder, this.name), content);
  }
}

/** AES in counter mode over zeros: a stream that looks random and is the same for the same seed. */
function noise(length: number, seed: number): Buffer {
  const key = createHash('sha256').update(String(seed)).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A classic MBR with one Linux partition (type 83) from 1 MiB to the end. */
function partitionTable(imageSize: number): Buffer {
  const table = Buffer.alloc(SECTOR);
  const entry = 446;
  const first = 2048;
  table.writeUInt8(0x83, entry + 4);
  table.writeUInt32LE(first, entry + 8);
  table.writeUInt32LE(imageSize / SECTOR - first, entry + 12);
  table.writeUInt16LE(0xaa55, 510);
  return table;
}
