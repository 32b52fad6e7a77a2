/**
 * What stands between `npm start` on a fresh clone and the program: installs what is missing,
 * builds what is out of date, then runs the command with the pinned Node. Runs on Node 20.20, and
 * stays quiet where there is nothing to do, because the output of a command is its user's.
 */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { becomeChild } from './bootstrap/become-child.mjs';
import { ensureBundles } from './bootstrap/bundles.mjs';
import { checkout } from './bootstrap/checkout.mjs';
import { ensurePackages } from './bootstrap/packages.mjs';
import { pinnedNode } from './bootstrap/pinned-node.mjs';
import { ensureSystemPackages } from './bootstrap/system-packages.mjs';
import { Unmet } from './bootstrap/Unmet.mjs';

/**
 * @typedef {object} Command
 * @property {readonly [string, ...string[]]} run a script of the checkout and its first arguments
 * @property {boolean} bundles whether dist/ must be up to date first
 * @property {boolean} [inCallersFolder] for commands that take paths
 * @property {readonly import('./bootstrap/system-packages.mjs').Need[]} needs of the system
 */

/** @type {Readonly<Record<string, Command>>} */
export const commands = {
  start: { run: ['scripts/start.ts'], bundles: true, needs: [] },
  boxwright: { run: ['dist/boxwright.mjs'], bundles: true, inCallersFolder: true, needs: [] },
  build: { run: ['scripts/build.mjs'], bundles: false, needs: [] },
  check: { run: ['scripts/check.ts'], bundles: false, needs: [] },
  format: {
    run: ['node_modules/prettier/bin/prettier.cjs', '--write', '.'],
    bundles: false,
    needs: [],
  },
  test: { run: ['scripts/test.ts', 'test'], bundles: true, needs: ['test'] },
  'test:fault': { run: ['scripts/test.ts', 'fault-long'], bundles: true, needs: ['test'] },
  'test:guest': { run: ['scripts/test.ts', 'guest'], bundles: true, needs: ['test', 'guest'] },
  'test:all': { run: ['scripts/test.ts', 'all'], bundles: true, needs: ['test', 'guest'] },
  ci: { run: ['scripts/test.ts', 'ci'], bundles: true, needs: ['test', 'guest'] },
  bench: { run: ['bench/main.ts'], bundles: true, needs: ['test', 'bench'] },
};

/** Old Nodes of the 24 line announce that they strip types; nobody asked. */
const WARNINGS = '--disable-warning=ExperimentalWarning';

/**
 * npm runs scripts in the folder of package.json and says where it was called.
 * @param {string} script
 */
function callersFolder(script) {
  const { npm_lifecycle_event: running, INIT_CWD: folder } = process.env;
  return running === script && folder !== undefined ? folder : process.cwd();
}

/** @param {readonly string[]} words the command and its own arguments */
async function main([name = '', ...given]) {
  const command = commands[name];
  if (command === undefined) {
    throw new Unmet(`Unknown command "${name}": one of ${Object.keys(commands).join(', ')}.`);
  }
  ensurePackages();
  ensureSystemPackages(command.needs);
  const node = pinnedNode();
  if (command.bundles) ensureBundles(node);
  const [script, ...first] = command.run;
  const words = [WARNINGS, path.join(checkout, script), ...first, ...given];
  return becomeChild(node, words, command.inCallersFolder ? callersFolder(name) : checkout);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof Unmet)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 69;
  }
}
