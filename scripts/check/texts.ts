import { homedir } from 'node:os';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { checkout } from './Checkout.ts';
import { lockedPackages, packageName, type Lock } from './Lock.ts';

/** Hosts of package registries: a checkout must install from whichever registry the machine uses. */
const registryHost = /registry\.(npmjs|yarnpkg|npmmirror)\.|npm\.pkg\.github|\bnpmjs\.(org|com)\b/;

/** What belongs to this machine and to no checkout: folders by their absolute path. */
function machinePaths(): string[] {
  // A home of "/root" or "/" also stands in recorded output of other machines.
  const home = homedir();
  return [checkout, ...(home.split(path.sep).length > 2 ? [home] : [])];
}

/** Registry hosts and paths of this machine in a text, in sentences with the line's number. */
export function textProblems(
  file: string,
  text: string,
  paths: readonly string[] = machinePaths(),
): string[] {
  return text.split('\n').flatMap((line, index) => {
    const where = `${file}:${String(index + 1)}`;
    const found: string[] = [];
    if (registryHost.test(line)) found.push(`${where} names a package registry's host`);
    if (paths.some((own) => line.includes(own)))
      found.push(`${where} names a path of this machine`);
    return found;
  });
}

/** The same for files of the checkout. */
export function fileProblems(files: readonly string[]): string[] {
  return files.flatMap((file) => {
    const bytes = readFileSync(path.join(checkout, file));
    return bytes.includes(0) ? [] : textProblems(file, bytes.toString('utf8'));
  });
}

/** The lock file must not say where a package is to be fetched from. */
export function lockProblems(lock: Lock): string[] {
  return lockedPackages(lock)
    .filter(([, { resolved }]) => resolved !== undefined)
    .map(([folder]) => `package-lock.json says where to fetch ${packageName(folder)} from`);
}

/** Lines that the README of a src-* folder may have. */
const README_LINES = { least: 10, most: 20 };

/** Each src-* folder among the files needs a README of a readable length. */
export function readmeProblems(files: readonly string[], read: (file: string) => string): string[] {
  const folders = new Set(files.flatMap((file) => /^(src-[^/]+)\//.exec(file)?.[1] ?? []));
  return [...folders].flatMap((folder) => {
    const file = `${folder}/README.md`;
    if (!files.includes(file)) return [`${folder} has no README.md`];
    const lines = read(file).trimEnd().split('\n').length;
    const { least, most } = README_LINES;
    if (lines >= least && lines <= most) return [];
    return [`${file} has ${String(lines)} lines, not ${String(least)} to ${String(most)}`];
  });
}
