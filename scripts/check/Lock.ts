import { readText } from './Checkout.ts';

/** What npm notes about a package in package-lock.json (lockfileVersion 3). */
export interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly resolved?: string;
  /** Only needed to work on the project. */
  readonly dev?: boolean;
  /** The same, for what an optional package of the product would also take. */
  readonly devOptional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lock {
  /** By folder, for example "node_modules/zod"; "" is the project itself. */
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export function readLock(): Lock {
  return JSON.parse(readText('package-lock.json')) as Lock;
}

/** "node_modules/a/node_modules/@b/c" is the package @b/c. */
export function packageName(folder: string): string {
  return folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** The packages of the lock file by folder, without the project itself. */
export function lockedPackages(lock: Lock): (readonly [string, LockedPackage])[] {
  return Object.entries(lock.packages).filter(([folder]) => folder !== '');
}
