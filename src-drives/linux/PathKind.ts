import { stat } from 'node:fs/promises';

/** What stands at a path. */
export interface PathKind {
  /** "major:minor" of a block device; null for anything else. */
  readonly blockNumber: string | null;
}

/** Looks at a path; null where nothing is there or it may not be looked at. May take forever. */
export type LookAtPath = (path: string) => Promise<PathKind | null>;

/** "major:minor" of a number that is packed as makedev(3) of the GNU C library does. */
export function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${String(major)}:${String(minor)}`;
}

export const lookAtPathHere: LookAtPath = async (path) => {
  try {
    const seen = await stat(path, { bigint: true });
    return { blockNumber: seen.isBlockDevice() ? deviceNumber(seen.rdev) : null };
  } catch {
    return null;
  }
};
