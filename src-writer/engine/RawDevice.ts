import { constants, openSync } from 'node:fs';
import { fail } from '../../src-core/Failure.ts';
import { DescriptorDevice } from './DescriptorDevice.ts';
import { systemErrorCode } from './SystemErrorCode.ts';

/**
 * libuv's flag for unbuffered access on Windows, which becomes FILE_FLAG_NO_BUFFERING
 * (libuv, include/uv/win.h, UV_FS_O_DIRECT); Node does not export it there.
 */
const WINDOWS_UNBUFFERED = 0x0200_0000;

/**
 * Opens a raw device by its path, where no open descriptor can be handed on: on Windows
 * (`\\.\PhysicalDrive2`), whose volumes the supervisor holds locked meanwhile.
 * @throws FailureError drive-open-failed, blocked-by-protection
 */
export function openRawDevice(
  path: string,
  size: number,
  blockSize: number,
  use: 'write' | 'read',
): DescriptorDevice {
  try {
    const access = use === 'write' ? constants.O_RDWR : constants.O_RDONLY;
    const fd = openSync(path, access | WINDOWS_UNBUFFERED);
    return new DescriptorDevice(fd, size, blockSize);
  } catch (thrown) {
    const cause = systemErrorCode(thrown);
    // Controlled folder access and some antivirus programs refuse even administrators.
    if (cause === 'EPERM' || cause === 'EACCES')
      throw fail('blocked-by-protection', { drive: path });
    throw fail('drive-open-failed', { drive: path, cause });
  }
}
