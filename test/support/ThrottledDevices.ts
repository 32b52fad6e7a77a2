import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { makeOwnFolder, noteGroup, removeOwnFolder } from './OwnFolder.ts';

const BLKIO = '/sys/fs/cgroup/blkio';

/** Joins the group, then becomes the command: a whole process tree starts inside. */
const JOIN = 'echo $$ > "$0"/cgroup.procs && exec "$@"';

/**
 * A group of processes for which each of some devices is no faster than a rate, in both directions
 * (cgroup v1, blkio.throttle.*_bps_device). What is started with {@link ThrottledDevices.command}
 * is held to it, with all its descendants.
 */
export class ThrottledDevices implements AsyncDisposable {
  readonly #group: string;
  readonly #folder: string;

  private constructor(group: string, folder: string) {
    this.#group = group;
    this.#folder = folder;
  }

  /** @param devices paths of block devices; each gets the rate for itself */
  static async create(
    devices: readonly string[],
    bytesPerSecond: number,
  ): Promise<ThrottledDevices> {
    const folder = await makeOwnFolder();
    try {
      const name = basename(folder);
      await noteGroup(folder, name);
      const group = join(BLKIO, name);
      await mkdir(group);
      for (const device of devices) {
        const number = (await readFile(`/sys/block/${basename(device)}/dev`, 'utf8')).trim();
        const limit = `${number} ${String(bytesPerSecond)}`;
        await writeFile(join(group, 'blkio.throttle.read_bps_device'), limit);
        await writeFile(join(group, 'blkio.throttle.write_bps_device'), limit);
      }
      return new ThrottledDevices(group, folder);
    } catch (cause) {
      await removeOwnFolder(folder);
      throw cause;
    }
  }

  /** The command that runs `command` inside the group. */
  command(command: readonly string[]): string[] {
    return ['/bin/sh', '-c', JOIN, this.#group, ...command];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeOwnFolder(this.#folder);
  }
}
