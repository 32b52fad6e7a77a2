import { close, fdatasync, read, readSync, write } from 'node:fs';
import { promisify } from 'node:util';
import type { Device, Presence } from './Device.ts';
import { Medium } from './Medium.ts';
import { systemErrorCode } from './SystemErrorCode.ts';

const writeAt = promisify(write);
const readAt = promisify(read);
const sync = promisify(fdatasync);
const closeDescriptor = promisify(close);

/** A whole device, or a practice card, behind an open descriptor. */
export class DescriptorDevice implements Device {
  readonly size: number;
  readonly logicalBlockSize: number;
  readonly #fd: number;
  readonly #medium: Medium;

  constructor(fd: number, size: number, logicalBlockSize: number) {
    this.#fd = fd;
    this.size = size;
    this.logicalBlockSize = logicalBlockSize;
    this.#medium = new Medium(fd);
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#medium.noticingLoss(
      whole(bytes, async (part, done) => {
        const { bytesWritten } = await writeAt(this.#fd, part, 0, part.length, position + done);
        return bytesWritten;
      }),
    );
  }

  read(bytes: Uint8Array, position: number): Promise<void> {
    return this.#medium.noticingLoss(
      whole(bytes, async (part, done) => {
        const { bytesRead } = await readAt(this.#fd, part, 0, part.length, position + done);
        return bytesRead;
      }),
    );
  }

  /** Reads at once what one read gives; for looking at a card, not for the data path. */
  readNow(bytes: Uint8Array, position: number): number {
    return readSync(this.#fd, bytes, 0, bytes.length, position);
  }

  flush(): Promise<void> {
    return this.#medium.noticingLoss(flushed(sync(this.#fd)));
  }

  presence(): Promise<Presence> {
    return Promise.resolve(this.#medium.presence());
  }

  async close(): Promise<void> {
    await closeDescriptor(this.#fd);
  }
}

/**
 * What a system answers on raw devices that have nothing to flush: macOS where neither F_FULLFSYNC nor
 * fsync apply to a character device, Windows for ERROR_INVALID_FUNCTION (libuv, src/win/error.c).
 */
const NOTHING_TO_FLUSH: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['ENOTTY', 'EINVAL', 'ENOTSUP', 'ENODEV'],
  win32: ['EISDIR'],
};

async function flushed(flushing: Promise<void>): Promise<void> {
  try {
    await flushing;
  } catch (cause) {
    const nothing = NOTHING_TO_FLUSH[process.platform] ?? [];
    if (!nothing.includes(systemErrorCode(cause))) throw cause;
  }
}

/** Repeats a transfer that may do less than it was asked for until all is done. */
async function whole(
  bytes: Uint8Array,
  transfer: (part: Uint8Array, done: number) => Promise<number>,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const count = await transfer(bytes.subarray(done), done);
    if (count === 0) throw Object.assign(new Error('no progress'), { code: 'EIO' });
    done += count;
  }
}
