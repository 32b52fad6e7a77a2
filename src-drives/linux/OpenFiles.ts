import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { plainText } from '../../src-core/PlainText.ts';
import { isBelow } from './MountTable.ts';

/** A process that holds something open, and what. */
export interface OpenPath {
  readonly program: string;
  readonly path: string;
}

/** These open every new drive for a moment, to tell others what is on it. */
const lookers = new Set(['systemd-udevd', '(udev-worker)', 'udevd', 'udisksd', 'blkid', 'lsblk']);

/** Open files that are read at most: more than a busy desktop has. */
const MOST_LINKS = 100_000;

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function link(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function programName(folder: string): string {
  try {
    return plainText(readFileSync(join(folder, 'comm'), 'utf8'));
  } catch {
    return '';
  }
}

/**
 * Which programs hold files open below the given folders, or stand in them, or hold one of the
 * given devices open: as far as /proc may be read, which for other users' programs needs privilege.
 * This program itself is left out.
 * @param wanted absolute paths of mount points and devices
 */
export function readOpenPaths(
  procRoot: string,
  wanted: readonly string[],
  ownProcess: number,
): OpenPath[] {
  if (wanted.length === 0) return [];
  const found: OpenPath[] = [];
  let read = 0;
  for (const process of entries(procRoot)) {
    if (!/^\d+$/.test(process) || process === String(ownProcess)) continue;
    const folder = join(procRoot, process);
    const links = [
      'cwd',
      'root',
      'exe',
      ...entries(join(folder, 'fd')).map((fd) => join('fd', fd)),
    ];
    for (const name of links) {
      if ((read += 1) > MOST_LINKS) return found;
      const path = link(join(folder, name));
      if (path === null || !wanted.some((place) => isBelow(path, place))) continue;
      const program = programName(folder) || process;
      if (!lookers.has(program)) found.push({ program, path });
    }
  }
  return found;
}
