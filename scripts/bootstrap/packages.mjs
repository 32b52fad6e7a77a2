import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { checkout } from './checkout.mjs';
import { Unmet } from './Unmet.mjs';

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {boolean} [optional]
 * @property {string | string[]} [os]
 * @property {string | string[]} [cpu]
 */

/**
 * The packages that a lock file names, by folder; nothing where there is no such file.
 * @param {string} file
 * @returns {Map<string, LockedPackage>}
 */
function lockedPackages(file) {
  try {
    const text = readFileSync(path.join(checkout, file), 'utf8');
    const lock = /** @type {{packages: Record<string, LockedPackage>}} */ (JSON.parse(text));
    return new Map(Object.entries(lock.packages).filter(([folder]) => folder !== ''));
  } catch {
    return new Map();
  }
}

/**
 * npm writes node_modules/.package-lock.json when an installation has finished, so comparing it
 * with the lock file tells what is missing, whoever installed it. Optional packages are for other
 * machines, except where they fit this one.
 * @returns {boolean}
 */
function isInstalled() {
  const installed = lockedPackages('node_modules/.package-lock.json');
  if (installed.size === 0) return false;
  for (const [folder, { version, optional = false }] of lockedPackages('package-lock.json')) {
    const present = installed.get(folder)?.version;
    if (present === undefined ? !optional : present !== version) return false;
  }
  return true;
}

/**
 * Installs what package-lock.json names, without running any package's scripts.
 * @throws {Unmet} where npm does not manage
 */
export function ensurePackages() {
  if (isInstalled()) return;
  process.stderr.write('Installing the packages of package-lock.json ...\n');
  const [tool, ...first] = npmCommand();
  const arguments_ = [...first, 'ci', '--ignore-scripts', '--no-progress', '--loglevel=error'];
  // npm's own words go to stderr: stdout belongs to the command.
  const { status } = spawnSync(tool, arguments_, { cwd: checkout, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    throw new Unmet(
      'The packages could not be installed: npm needs its registry, or a filled cache.',
    );
  }
}

/**
 * The npm that runs this script, or the one beside this Node.
 * @returns {[string, ...string[]]}
 */
function npmCommand() {
  const running = process.env['npm_execpath'];
  if (running?.endsWith('.js') === true) return [process.execPath, running];
  if (process.platform !== 'win32') return ['npm'];
  const beside = path.join(path.dirname(process.execPath), 'node_modules/npm/bin/npm-cli.js');
  return [process.execPath, beside];
}
