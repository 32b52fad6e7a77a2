import { createCipheriv, createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { runTool } from './runTool.ts';

const SECTOR = 512;

/** Where the partition begins, in bytes. */
const FIRST = 1 << 20;

/** An image made by the test: one partition with an empty ext4 among bytes that nothing can guess. */
export class TestImage {
  /** Its file name, which ends in .img or .img.gz. */
  readonly name: string;
  /** Bytes of the decompressed image, and their SHA-256. */
  readonly size: number;
  readonly sha256: string;

  private constructor(name: string, content: Buffer) {
    this.name = name;
    this.size = content.length;
    this.sha256 = createHash('sha256').update(content).digest('hex');
  }

  /**
   * @param folder where to make it
   * @param mebibytes its size
   */
  static async create(folder: string, name: string, mebibytes: number): Promise<TestImage> {
    const draft = path.join(folder, `${name}.draft`);
    const raw = noise(mebibytes << 20, name);
    partitionTable(raw.length).copy(raw);
    await writeFile(draft, raw);
    const size = `${String((raw.length - FIRST) >> 10)}k`;
    const options = ['-q', '-F', '-t', 'ext4', '-L', 'flashed', '-E', `offset=${String(FIRST)}`];
    await runTool('mke2fs', [...options, draft, size]);
    const content = await readFile(draft);
    await rm(draft);
    const stored = name.endsWith('.gz') ? gzipSync(content, { level: 1 }) : content;
    await writeFile(path.join(folder, name), stored);
    return new TestImage(name, content);
  }
}

/** AES in counter mode over zeros: a stream that looks random and is the same for the same seed. */
function noise(length: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A classic MBR with one Linux partition (type 83) from {@link FIRST} to the end. */
function partitionTable(imageSize: number): Buffer {
  const table = Buffer.alloc(SECTOR);
  const entry = 446;
  table.writeUInt8(0x83, entry + 4);
  table.writeUInt32LE(FIRST / SECTOR, entry + 8);
  table.writeUInt32LE((imageSize - FIRST) / SECTOR, entry + 12);
  table.writeUInt16LE(0xaa55, 510);
  return table;
}
