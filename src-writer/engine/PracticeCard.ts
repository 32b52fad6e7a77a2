import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { fail, FailureError } from '../../src-core/Failure.ts';
import { DescriptorDevice } from './DescriptorDevice.ts';
import { Ring } from './Ring.ts';
import { systemErrorCode } from './SystemErrorCode.ts';

/** Direct I/O on a file wants the block size of its file system, which is this nearly everywhere. */
export const PRACTICE_BLOCK = 4096;

/** Bytes looked at to tell a card from somebody's file. */
const HEAD_BYTES = 1 << 16;

/**
 * Opens a practice card: a plain file of the given size, made if it is not there. Never follows a
 * symbolic link, and never writes over a file that neither is empty nor looks like a card.
 * @param size bytes, a multiple of {@link PRACTICE_BLOCK}
 * @param looksLikeCard judges the first bytes of a file that is there already
 * @throws FailureError practice-card-not-a-file, practice-card-unwritable, disk-full
 */
export function openPracticeCard(
  path: string,
  size: number,
  looksLikeCard: (head: Uint8Array) => boolean,
): DescriptorDevice {
  const fd = openPlainFile(path, constants.O_RDWR | constants.O_CREAT);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.nlink !== 1) throw fail('practice-card-not-a-file', { path });
    if (stat.size > 0 && !looksLikeCard(headOf(fd)))
      throw fail('practice-card-not-a-file', { path });
    if (stat.size !== size) ftruncateSync(fd, size);
    return new DescriptorDevice(fd, size, PRACTICE_BLOCK);
  } catch (thrown) {
    closeSync(fd);
    throw practiceFailure(path, thrown);
  }
}

/** Opens a practice card that is only looked at. @throws FailureError practice-card-* */
export function openPracticeCardToRead(path: string): DescriptorDevice {
  const fd = openPlainFile(path, constants.O_RDONLY);
  const stat = fstatSync(fd);
  if (stat.isFile()) return new DescriptorDevice(fd, stat.size, PRACTICE_BLOCK);
  closeSync(fd);
  throw fail('practice-card-not-a-file', { path });
}

function openPlainFile(path: string, flags: number): number {
  // O_NONBLOCK: opening a named pipe must not wait for its other end. Windows has none of these
  // three, and undefined counts as 0 in a bitwise or.
  const careful = flags | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return openSync(path, careful | constants.O_DIRECT, 0o600);
  } catch (thrown) {
    // Some file systems (tmpfs, network shares) cannot go past the cache.
    if (systemErrorCode(thrown) !== 'EINVAL') throw practiceFailure(path, thrown);
  }
  try {
    return openSync(path, careful, 0o600);
  } catch (thrown) {
    throw practiceFailure(path, thrown);
  }
}

function headOf(fd: number): Uint8Array {
  const bytes = new Ring(1).view(0, HEAD_BYTES);
  return bytes.subarray(0, readSync(fd, bytes, 0, HEAD_BYTES, 0));
}

function practiceFailure(path: string, thrown: unknown): FailureError {
  if (thrown instanceof FailureError) return thrown;
  const cause = systemErrorCode(thrown);
  if (cause === 'ELOOP' || cause === 'EISDIR' || cause === 'ENXIO') {
    return fail('practice-card-not-a-file', { path });
  }
  if (cause === 'ENOSPC') return fail('disk-full', { path });
  return fail('practice-card-unwritable', { path, cause });
}
