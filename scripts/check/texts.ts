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

/**
 * The lock file must not say where a package is to be fetched from, and must have every package
 * that another one names: `npm ci` refuses a lock file with a gap, also one for another platform.
 */
export function lockProblems(lock: Lock): string[] {
  const packages = lockedPackages(lock);
  const names = new Set(packages.map(([folder]) => packageName(folder)));
  return packages.flatMap(([folder, { resolved, dependencies, optionalDependencies }]) => {
    const wanted = Object.keys({ ...dependencies, ...optionalDependencies });
    const name = packageName(folder);
    return [
      ...(resolved === undefined ? [] : [`package-lock.json says where to fetch ${name} from`]),
      ...wanted
        .filter((each) => !names.has(each))
        .map((each) => `package-lock.json lacks ${each}, which ${name} names`),
    ];
  });
}

/** Lines that the README of a src-* folder may have. */
const README_LINES = { least: 10, most: 20 };

/**
 * Each src-* folder among the files needs a row in the table of folders, a tsconfig that says what
 * it may know, and a README of a readable length.
 */
export function folderProblems(
  files: readonly string[],
  rows: readonly string[],
  read: (file: string) => string,
): string[] {
  const folders = new Set(files.flatMap((file) => /^(src-[^/]+)\//.exec(file)?.[1] ?? []));
  return [...folders].flatMap((folder) => {
    const wanted = ['README.md', 'tsconfig.json'].filter(
      (name) => !files.includes(`${folder}/${name}`),
    );
    return [
      ...(rows.includes(folder) ? [] : [`${folder} has no row in scripts/check/architecture.ts`]),
      ...wanted.map((name) => `${folder} has no ${name}`),
      ...(wanted.includes('README.md') ? [] : readmeProblems(`${folder}/README.md`, read)),
    ];
  });
}

function readmeProblems(file: string, read: (file: string) => string): string[] {
  const lines = read(file).trimEnd().split('\n').length;
  const { least, most } = README_LINES;
  if (lines >= least && lines <= most) return [];
  return [`${file} has ${String(lines)} lines, not ${String(least)} to ${String(most)}`];
}
