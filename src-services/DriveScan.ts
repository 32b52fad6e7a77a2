import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Drive } from '../src-core/Drive.ts';
import { classifyDrive } from '../src-core/DriveVerdict.ts';
import type { DriveVerdict } from '../src-core/DriveVerdict.ts';
import { fail } from '../src-core/Failure.ts';
import { resolveDriveArgument } from '../src-drives/DriveArgument.ts';
import { scanDrives } from '../src-drives/scanDrives.ts';

export interface JudgedDrive {
  readonly drive: Drive;
  readonly verdict: DriveVerdict;
}

export interface ScanRequest {
  /** The image that is to be written and its block map, absolute paths. */
  readonly image: readonly string[];
  /** The bytes it needs; null while unknown. */
  readonly imageSize: number | null;
  readonly allowVirtual: boolean;
}

/**
 * The drives of this machine, each judged.
 * @throws FailureError drive-list-unavailable
 */
export async function judgedDrives(request: ScanRequest): Promise<JudgedDrive[]> {
  const program = [fileURLToPath(import.meta.url), process.execPath];
  const drives = await scanDrives({ program, image: request.image, cache: cacheFolder() });
  return drives.map((drive) => ({ drive, verdict: classifyDrive(drive, request) }));
}

/**
 * The drive that a person named: by path (or a link to it, as in /dev/disk/by-id), or serial:NUMBER.
 * @throws FailureError drive-not-found, drive-ambiguous, drive-not-whole, drive-is-a-file
 */
export function findDrive(drives: readonly JudgedDrive[], named: string): JudgedDrive {
  const found = resolveDriveArgument(
    named,
    drives.map(({ drive }) => drive),
  );
  const judged = drives.find(({ drive }) => drive === found);
  if (judged === undefined) throw fail('drive-not-found', { drive: named });
  return judged;
}

/** Where this user's data of the program lie: the XDG base directories, or what stands for them. */
export function dataFolder(): string {
  return userFolder('XDG_DATA_HOME', path.join('.local', 'share'), 'Application Support');
}

function cacheFolder(): string {
  return userFolder('XDG_CACHE_HOME', '.cache', 'Caches');
}

function userFolder(variable: string, linux: string, macos: string): string {
  if (process.platform === 'darwin') return path.join(homedir(), 'Library', macos, 'Boxwright');
  if (process.platform === 'win32') {
    const local = process.env['LOCALAPPDATA'] ?? path.join(homedir(), 'AppData', 'Local');
    return path.join(local, 'Boxwright', ...(linux === '.cache' ? ['Cache'] : []));
  }
  const given = process.env[variable];
  // The specification says that relative paths are to be ignored.
  const base = given !== undefined && path.isAbsolute(given) ? given : path.join(homedir(), linux);
  return path.join(base, 'boxwright');
}
