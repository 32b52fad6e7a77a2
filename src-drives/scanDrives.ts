import type { Drive } from '../src-core/Drive.ts';
import { fail } from '../src-core/Failure.ts';
import type { ScanOptions } from './ScanOptions.ts';
import { linuxMachine, scanLinux } from './linux/scanLinux.ts';
import { macosMachine, scanMacos } from './macos/scanMacos.ts';
import { scanWindows, windowsMachine } from './windows/scanWindows.ts';

export type { ScanOptions } from './ScanOptions.ts';

/**
 * Looks at the drives of this machine: facts only, in the system's order, refused ones included.
 * Reads and never writes; works with and without privilege, and never waits for a dead device
 * (what does not answer in time is left unknown).
 * @throws FailureError drive-list-unavailable
 */
export async function scanDrives(options: ScanOptions): Promise<Drive[]> {
  switch (process.platform) {
    case 'linux':
      return scanLinux(options, linuxMachine);
    case 'darwin':
      return scanMacos(options, macosMachine);
    case 'win32':
      return scanWindows(options, windowsMachine);
    default:
      throw fail('drive-list-unavailable', { detail: process.platform });
  }
}
