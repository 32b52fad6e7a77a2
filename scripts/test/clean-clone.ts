import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkout, runProgram, type Outcome } from '../check/Checkout.ts';
import type { Suite } from './suites.ts';

/** What builds native code: with none of it on the PATH, nothing can be compiled during installation. */
const compiler =
  /^([\w.]+-)*(cc|cc1|cc1plus|c\+\+|c[89]9|gcc|g\+\+|clang|clang\+\+|cpp|tcc|rustc|cargo|g?make|cmake|ninja|node-gyp)(-[\d.]+)?$/;

/** Settings of the machine's network, without which no registry may be reachable at all. */
const networkSettings =
  /^(https?_proxy|no_proxy|npm_config_registry|node_extra_ca_certs|ssl_cert_(file|dir))$/i;

/** Fills a folder with links to every program on the PATH but compilers, and this checkout's own. */
export function linkPrograms(folder: string, searchPath: string): void {
  const linked = new Set<string>();
  for (const source of searchPath.split(path.delimiter)) {
    if (source === '' || source.includes('node_modules')) continue;
    for (const name of programsIn(source)) {
      if (linked.has(name) || compiler.test(name)) continue;
      linked.add(name);
      symlinkSync(path.join(source, name), path.join(folder, name));
    }
  }
}

function programsIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Runs a command on a fresh clone, with an empty home and npm cache and without compilers. */
async function onCleanClone(words: readonly string[]): Promise<Outcome> {
  const folder = mkdtempSync(path.join(tmpdir(), 'boxwright-clone-'));
  try {
    const clone = path.join(folder, 'clone');
    const home = path.join(folder, 'home');
    const programs = path.join(folder, 'bin');
    mkdirSync(home);
    mkdirSync(programs);
    linkPrograms(programs, process.env['PATH'] ?? '');
    const network = Object.entries(process.env).filter(([name]) => networkSettings.test(name));
    const env = { ...Object.fromEntries(network), PATH: programs, HOME: home, CI: 'true' };
    const cloned = await runProgram(
      'git',
      ['-c', 'safe.directory=*', 'clone', '--quiet', checkout, clone],
      { env },
    );
    if (cloned.code !== 0) return cloned;
    return await runProgram('npm', words, { env, folder: clone });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The two commands that the README promises, each alone on a clone of what is committed here. */
export const cleanCloneSuite: Suite = {
  name: 'clean clone',
  run: async () => {
    const failures: string[] = [];
    const commands = [['start'], ['test']];
    for (const words of commands) {
      const { code, output } = await onCleanClone(words);
      if (code !== 0) failures.push(`npm ${words.join(' ')} on a clean clone:\n${output}`);
    }
    const failed = failures.length;
    return {
      tally: { passed: commands.length - failed, failed, skipped: 0 },
      report: failures.join('\n'),
    };
  },
};
