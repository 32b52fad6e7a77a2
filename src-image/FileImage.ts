import { closeSync, constants, fstat, fstatSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { promisify } from 'node:util';
import { fail } from '../src-core/Failure.ts';
import type { ImageFile } from './ImageSource.ts';

const statOpen = promisify(fstat);

/** Windows has neither the flag nor files that need it. */
const neverWaiting = 'O_NONBLOCK' in constants ? constants.O_NONBLOCK : 0;

/** What tells whether a file is still the one that was looked at; plain data, it crosses processes. */
export interface ImageIdentity {
  readonly device: number;
  readonly inode: number;
  /** Bytes. */
  readonly size: number;
  /** Time of the last change, milliseconds since 1970. */
  readonly modified: number;
}

/** An image file behind an open descriptor. */
export interface FileImage extends ImageFile {
  /** For readers that fill their own memory (`fs.read`); it belongs to this object. */
  readonly descriptor: number;
  readonly identity: ImageIdentity;
  /**
   * Asks without holding up this thread: a server that fell silent may never answer.
   * @throws FailureError image-changed when the file is no longer what it was when it was opened
   */
  checkUnchanged(): Promise<void>;
  /** Closes the descriptor, once; later calls do nothing. */
  close(): void;
}

/**
 * Opens an image for reading. Never waits, not even on a named pipe.
 * @throws FailureError image-not-found, image-unreadable, image-not-a-file, image-empty;
 *   image-changed when it is not the file that `expected` describes
 */
export function openImage(path: string, expected?: ImageIdentity): FileImage {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | neverWaiting);
  } catch (cause) {
    throw openFailure(path, cause);
  }
  try {
    return imageOfDescriptor(descriptor, path, expected);
  } catch (cause) {
    closeSync(descriptor);
    throw cause;
  }
}

/**
 * Wraps a descriptor that is already open; `path` is only shown in failures. The descriptor is not
 * closed when this throws.
 * @throws FailureError image-unreadable, image-not-a-file, image-empty, image-changed
 */
export function imageOfDescriptor(
  descriptor: number,
  path: string,
  expected?: ImageIdentity,
): FileImage {
  const identity = identityOf(statNow(descriptor, path), path);
  if (expected !== undefined && !isSame(identity, expected)) throw fail('image-changed', { path });
  if (identity.size === 0) throw fail('image-empty', { path });
  let open = true;
  return {
    path,
    descriptor,
    identity,
    size: identity.size,
    read: (target, position) => readFully(descriptor, path, target, position),
    async checkUnchanged() {
      const stats = await statOpen(descriptor).catch((cause: unknown) => {
        throw unreadable(path, cause);
      });
      if (!isSame(identityOf(stats, path), identity)) throw fail('image-changed', { path });
    },
    close() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

function readFully(descriptor: number, path: string, target: Uint8Array, position: number): number {
  let filled = 0;
  try {
    while (filled < target.length) {
      const got = readSync(descriptor, target, filled, target.length - filled, position + filled);
      if (got === 0) break;
      filled += got;
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return filled;
}

function statNow(descriptor: number, path: string): Stats {
  try {
    return fstatSync(descriptor);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function identityOf(stats: Stats, path: string): ImageIdentity {
  if (!stats.isFile()) throw fail('image-not-a-file', { path });
  return { device: stats.dev, inode: stats.ino, size: stats.size, modified: stats.mtimeMs };
}

function isSame(one: ImageIdentity, other: ImageIdentity): boolean {
  return (
    one.device === other.device &&
    one.inode === other.inode &&
    one.size === other.size &&
    one.modified === other.modified
  );
}

function openFailure(path: string, cause: unknown): Error {
  const code = systemCode(cause);
  if (code === 'ENOENT' || code === 'ENOTDIR') return fail('image-not-found', { path }, { cause });
  if (code === 'EISDIR' || code === 'ENXIO' || code === 'ENODEV') {
    return fail('image-not-a-file', { path }, { cause });
  }
  return unreadable(path, cause);
}

function unreadable(path: string, cause: unknown): Error {
  return fail('image-unreadable', { path, cause: systemCode(cause) }, { cause });
}

function systemCode(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') {
    return cause.code;
  }
  return 'unknown';
}
