import { readFile, writeFile } from 'node:fs/promises';
import { makeOwnFolder, noteZram, removeOwnFolder } from './OwnFolder.ts';

/** A block device in (compressed) memory: a card that is as fast as a card can be. */
export class ZramDevice implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string;

  private constructor(path: string, folder: string) {
    this.path = path;
    this.#folder = folder;
  }

  /** @param size bytes */
  static async create(size: number): Promise<ZramDevice> {
    const folder = await makeOwnFolder();
    try {
      const number = (await readFile('/sys/class/zram-control/hot_add', 'utf8')).trim();
      const name = `zram${number}`;
      await noteZram(folder, name);
      await writeFile(`/sys/block/${name}/disksize`, String(size));
      return new ZramDevice(`/dev/${name}`, folder);
    } catch (cause) {
      await removeOwnFolder(folder);
      throw cause;
    }
  }

  get name(): string {
    return this.path.slice('/dev/'.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeOwnFolder(this.#folder);
  }
}
