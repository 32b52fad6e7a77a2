import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { checkout } from './checkout.mjs';
import { Unmet } from './Unmet.mjs';

/** What else the bundles are made of or with. */
const others = ['package.json', 'package-lock.json', 'scripts/build.mjs'];

/** Holds the fingerprint of the sources that the bundles beside it were made of. */
export const FINGERPRINT_FILE = 'dist/.sources.sha256';

/**
 * A hash over everything a bundle depends on: names and content, because a checkout of an older
 * commit leaves newer times behind.
 * @returns {string}
 */
export function sourcesFingerprint() {
  const folders = readdirSync(checkout).filter((name) => name.startsWith('src-'));
  const sources = folders.flatMap((folder) =>
    readdirSync(path.join(checkout, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|json)$/.test(name))
      .map((name) => path.join(folder, name)),
  );
  const hash = createHash('sha256');
  for (const file of [...sources.sort(), ...others]) {
    hash.update(`${file}\0`).update(readFileSync(path.join(checkout, file)));
  }
  return hash.digest('hex');
}

/** @returns {string} that of the bundles in dist/; empty without any */
function bundlesFingerprint() {
  try {
    return readFileSync(path.join(checkout, FINGERPRINT_FILE), 'utf8');
  } catch {
    return '';
  }
}

/**
 * Builds dist/ where its sources have changed since.
 * @param {string} node absolute path of the pinned Node
 * @throws {Unmet}
 */
export function ensureBundles(node) {
  if (bundlesFingerprint() === sourcesFingerprint()) return;
  process.stderr.write('Building ...\n');
  const { status } = spawnSync(node, ['scripts/build.mjs'], {
    cwd: checkout,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) throw new Unmet('The sources of this checkout could not be built.');
}
