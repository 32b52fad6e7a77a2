import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import path from 'node:path';

/** A sparse file of the host that plays a disk or card of the guest. */
export class CardFile {
  readonly name: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;

  private constructor(name: string, file: string, size: number) {
    this.name = name;
    this.path = file;
    this.size = size;
  }

  /** @param mebibytes its capacity */
  static async create(folder: string, name: string, mebibytes: number): Promise<CardFile> {
    const file = path.join(folder, `${name}.raw`);
    const size = mebibytes << 20;
    const handle = await open(file, 'wx');
    await handle.truncate(size);
    await handle.close();
    return new CardFile(name, file, size);
  }

  /** Bytes from `offset` on, as the medium holds them now. */
  async read(offset: number, length: number): Promise<Buffer> {
    const handle = await open(this.path);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /** Whether any byte of it was ever written: a sparse file has no blocks until then. */
  async everWritten(): Promise<boolean> {
    return (await stat(this.path)).blocks > 0;
  }

  /** SHA-256 of its first `length` bytes. */
  async sha256(length = this.size): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(this.path, { end: length - 1 })) {
      hash.update(chunk as Buffer);
    }
    return hash.digest('hex');
  }
}
