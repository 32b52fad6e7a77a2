import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const MANIFEST = {
  name: 'etcher-peer',
  version: '1.0.0',
  private: true,
  dependencies: { 'etcher-sdk': '10.2.15' },
  // One of its dependencies comes from a source host; these releases are the same from the registry.
  overrides: { 'unbzip2-stream': '1.4.3', 'typedarray.prototype.slice': '1.0.5' },
};

/** Its native parts without prebuilt binaries that fit. */
const NATIVE = ['@ronomon/direct-io', 'drivelist', 'mountutils'];

/** Where a Node of the system with its headers may be: the pinned one has none to compile against. */
const PREFIXES = ['/usr/local', '/usr'];

export interface EtcherInstallation {
  readonly folder: string;
  /** The Node for which its native parts were compiled. */
  readonly node: string;
}

/**
 * Installs etcher-sdk once into a folder of `cache`; a string says why that is not possible here.
 * No script of any package runs but the compilation of the three native parts.
 */
export async function installEtcher(
  cache: string,
  tell: (line: string) => void,
): Promise<EtcherInstallation | string> {
  const prefix = PREFIXES.find((candidate) =>
    ['bin/node', 'include/node/node_api.h'].every((file) => existsSync(join(candidate, file))),
  );
  if (prefix === undefined) return 'not installed: no system Node with headers to compile with';
  const node = join(prefix, 'bin/node');
  const folder = join(cache, 'etcher');
  const done = join(folder, 'installed.json');
  if (existsSync(done) && (await readFile(done, 'utf8')) === JSON.stringify(MANIFEST)) {
    return { folder, node };
  }
  tell('installing etcher-sdk');
  const work = `${folder}.part`;
  await rm(work, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  await writeFile(join(work, 'package.json'), JSON.stringify(MANIFEST));
  const environment = { PATH: `${prefix}/bin:/usr/bin:/bin`, HOME: process.env['HOME'] ?? '/' };
  const npm = async (...words: string[]) =>
    run(node, [join(prefix, 'bin/npm'), ...words], {
      cwd: work,
      env: { ...environment, npm_config_nodedir: prefix },
      maxBuffer: 1 << 26,
    });
  try {
    await npm('install', '--ignore-scripts', '--no-audit', '--no-fund');
    await npm('rebuild', ...NATIVE);
  } catch (cause) {
    const words = cause instanceof Error ? cause.message.trim().split('\n').at(-1) : undefined;
    return `not installed: ${(words ?? 'npm failed').slice(0, 200)}`;
  }
  await writeFile(join(work, 'installed.json'), JSON.stringify(MANIFEST));
  await rename(work, folder);
  return { folder, node };
}
