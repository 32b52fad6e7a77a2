import { close, fdatasync, fstatSync, read, readSync, write } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Device, Presence } from './Device.ts';

const writeAt = promisify(write);
const readAt = promisify(read);
const sync = promisify(fdatasync);
const closeDescriptor = promisify(close);

/** A whole device, or a practice card, behind an open descriptor. */
export class DescriptorDevice implements Device {
  readonly size: number;
  readonly logicalBlockSize: number;
  readonly #fd: number;
  /** Linux: where the kernel tells of the medium; null where nobody tells. */
  readonly #sysfs: string | null;

  constructor(fd: number, size: number, logicalBlockSize: number) {
    this.#fd = fd;
    this.size = size;
    this.logicalBlockSize = logicalBlockSize;
    this.#sysfs = sysfsPath(fd);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await writeAt(
        this.#fd,
        bytes,
        done,
        bytes.length - done,
        position + done,
      );
      if (bytesWritten === 0) throw systemError('EIO');
      done += bytesWritten;
    }
  }

  async read(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await readAt(
        this.#fd,
        bytes,
        done,
        bytes.length - done,
        position + done,
      );
      if (bytesRead === 0) throw systemError('EIO');
      done += bytesRead;
    }
  }

  /** Reads at once what one read gives; for looking at a card, not for the data path. */
  readNow(bytes: Uint8Array, position: number): number {
    return readSync(this.#fd, bytes, 0, bytes.length, position);
  }

  async flush(): Promise<void> {
    await sync(this.#fd);
  }

  async presence(): Promise<Presence> {
    if (this.#sysfs === null) return 'present';
    try {
      // The kernel sets the size to 0 when the medium leaves a reader that stays.
      const sectors = await readFile(this.#sysfs, 'ascii');
      return Number(sectors) === 0 ? 'no-medium' : 'present';
    } catch {
      return 'gone';
    }
  }

  async close(): Promise<void> {
    await closeDescriptor(this.#fd);
  }
}

/** `/sys/dev/block/MAJOR:MINOR/size` of an open block device, null for anything else. */
function sysfsPath(fd: number): string | null {
  const stat = fstatSync(fd);
  if (process.platform !== 'linux' || !stat.isBlockDevice()) return null;
  // The encoding of dev_t that glibc's gnu_dev_major and gnu_dev_minor undo; minors may be wide.
  const number = BigInt(stat.rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
  return `/sys/dev/block/${String(major)}:${String(minor & 0xffff_ffffn)}/size`;
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
