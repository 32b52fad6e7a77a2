import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { UseKind } from '../src-core/Drive.ts';
import type { ScanOptions } from './ScanOptions.ts';

/** A file of the program or of the user that must not be overwritten. */
export interface KeptFile {
  readonly kind: Extract<UseKind, 'program' | 'image' | 'cache'>;
  /** As it was named. */
  readonly path: string;
  /** Free of symbolic links; of the nearest folder that is there, while the file is not. */
  readonly realPath: string;
}

/** The real path of a file, null where it is not there. */
export type RealPath = (path: string) => Promise<string | null>;

export const realPathHere: RealPath = async (path) => {
  try {
    return await realpath(path);
  } catch {
    return null;
  }
};

/** The files that the scan was told to look out for. */
export async function findKeptFiles(options: ScanOptions, realPath: RealPath): Promise<KeptFile[]> {
  const named: Omit<KeptFile, 'realPath'>[] = [
    ...options.program.map((path) => ({ kind: 'program', path }) as const),
    ...options.image.map((path) => ({ kind: 'image', path }) as const),
    ...(options.cache === null ? [] : [{ kind: 'cache', path: options.cache } as const]),
  ];
  return Promise.all(
    named.map(async (file) => ({
      ...file,
      realPath: await realPathOfNearest(file.path, realPath),
    })),
  );
}

async function realPathOfNearest(path: string, realPath: RealPath): Promise<string> {
  for (let nearest = path; ; nearest = dirname(nearest)) {
    const real = await realPath(nearest);
    if (real !== null) return real;
    if (nearest === dirname(nearest)) return nearest;
  }
}
