import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Unmet } from './Unmet.mjs';

/** @typedef {'test' | 'guest' | 'bench'} Need */

/**
 * Debian packages that the suites and the bench use, each with a file that proves it is there: a
 * command, or an absolute path. The program itself needs none of them.
 * @type {Readonly<Record<Need, Readonly<Record<string, string>>>>}
 */
const packagesByNeed = {
  test: {
    'bmap-tools': 'bmaptool',
    bzip2: 'bzip2',
    'dbus-daemon': 'dbus-daemon',
    dosfstools: 'mkfs.vfat',
    e2fsprogs: 'mke2fs',
    eject: 'eject',
    fdisk: 'sfdisk',
    fuse3: 'fusermount3',
    mount: 'losetup',
    mtools: 'mcopy',
    openssl: 'openssl',
    pigz: 'pigz',
    pkexec: 'pkexec',
    polkitd: '/usr/lib/polkit-1/polkitd',
    procps: 'ps',
    python3: 'python3',
    'python3-fusepy': '/usr/lib/python3/dist-packages/fusepy.py',
    sudo: 'sudo',
    'util-linux': 'lsblk',
    'xz-utils': 'xz',
    zip: 'zip',
    zstd: 'zstd',
  },
  guest: { mmdebstrap: 'mmdebstrap', 'qemu-system-x86': 'qemu-system-x86_64' },
  bench: { mmdebstrap: 'mmdebstrap' },
};

/** A plain user's PATH often lacks the folders of the system's tools. */
const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];

/** @param {string} proof */
function isThere(proof) {
  if (path.isAbsolute(proof)) return existsSync(proof);
  return folders.some((folder) => existsSync(path.join(folder, proof)));
}

/**
 * @param {readonly Need[]} needs
 * @param {(proof: string) => boolean} [there]
 * @returns {string[]} names of Debian packages
 */
export function missingPackages(needs, there = isThere) {
  const wanted = needs.flatMap((need) => Object.entries(packagesByNeed[need]));
  return [...new Set(wanted.filter(([, proof]) => !there(proof)).map(([name]) => name))];
}

/**
 * Installs what is missing where this is root on Debian.
 * @param {readonly Need[]} needs
 * @throws {Unmet} naming it elsewhere
 */
export function ensureSystemPackages(needs) {
  if (process.platform !== 'linux') return;
  const missing = missingPackages(needs);
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (process.getuid?.() !== 0 || !isThere('apt-get')) {
    throw new Unmet(
      isThere('apt-get')
        ? `This needs system packages that are not installed: sudo apt-get install ${names}`
        : `This needs what Debian calls ${names}: install your system's packages of that name.`,
    );
  }
  process.stderr.write(`Installing system packages: ${names} ...\n`);
  const installed =
    apt(['install', ...missing]) || (apt(['update']) && apt(['install', ...missing]));
  if (!installed) throw new Unmet(`apt-get could not install ${names}.`);
}

/**
 * @param {readonly string[]} words
 * @returns {boolean} whether it worked
 */
function apt(words) {
  const arguments_ = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', '--no-install-recommends'];
  const { status } = spawnSync('apt-get', [...arguments_, ...words], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return status === 0;
}
