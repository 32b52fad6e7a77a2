import { execFile } from 'node:child_process';
import { open, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeOwnFolder, removeOwnFolder } from './OwnFolder.ts';

const run = promisify(execFile);

/**
 * A real loop device over a file of its own, past the page cache. The backing file is `backing`,
 * so that a test can read and change the medium behind the device's back.
 */
export class LoopDevice implements AsyncDisposable {
  readonly path: string;
  readonly backing: string;
  readonly #folder: string;

  private constructor(path: string, backing: string, folder: string) {
    this.path = path;
    this.backing = backing;
    this.#folder = folder;
  }

  /** @param size bytes */
  static async create(size: number, options: { readOnly?: boolean } = {}): Promise<LoopDevice> {
    const folder = await makeOwnFolder();
    try {
      const backing = join(folder, 'medium');
      await (await open(backing, 'w')).close();
      await truncate(backing, size);
      const path = await attachLoop(backing, options.readOnly === true);
      return new LoopDevice(path, backing, folder);
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

/** Attaches a free loop device to the file with direct I/O; returns its path. */
export async function attachLoop(file: string, readOnly = false): Promise<string> {
  const { stdout } = await run('/usr/sbin/losetup', [
    ...['-f', '--show', '--direct-io=on'],
    ...(readOnly ? ['-r'] : []),
    file,
  ]);
  const path = stdout.trim();
  const direct = await readFile(`/sys/block/${path.slice('/dev/'.length)}/loop/dio`, 'utf8');
  if (direct.trim() !== '1') {
    await run('/usr/sbin/losetup', ['-d', path]);
    throw new Error(`${path} does not use direct I/O`);
  }
  return path;
}
