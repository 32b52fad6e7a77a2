import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { runTool } from './runTool.ts';

/** What QEMU boots: made of Debian's packages only, the same for every run. */
export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
  /** Raw ext4 disk; the guest writes to a throw-away layer over it. */
  readonly root: string;
}

const checkout = path.resolve(import.meta.dirname, '../../..');

const packages = [
  ...['udev', 'kmod', 'util-linux', 'fdisk', 'eject', 'sudo', 'procps', 'busybox-static'],
  ...['mdadm', 'cryptsetup-bin', 'lvm2', 'dosfstools', 'e2fsprogs'],
];

/**
 * The guest's kernel and root disk, built on first use (needs mmdebstrap and Debian's archive, about
 * 40 s) and kept in .cache/guest under the hash of the recipe.
 */
export async function guestImage(): Promise<GuestImage> {
  const cache = path.join(checkout, '.cache/guest');
  const built = path.join(cache, await recipeHash());
  if (!existsSync(built)) {
    await mkdir(cache, { recursive: true });
    const draft = await mkdtemp(path.join(cache, 'draft-'));
    try {
      await build(draft);
      // The name appears with the whole content or not at all, whoever else builds it.
      await rename(draft, built);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  return {
    kernel: path.join(built, 'vmlinuz'),
    initrd: path.join(built, 'initrd'),
    root: path.join(built, 'root.ext4'),
  };
}

async function build(folder: string): Promise<void> {
  await runTool(
    'mmdebstrap',
    [
      '--quiet',
      '--variant=minbase',
      '--format=null',
      `--include=${packages.join(',')}`,
      `--customize-hook=${path.join(import.meta.dirname, 'build-root.sh')}`,
      'bookworm',
      '/dev/null',
    ],
    { GUEST_OUT: folder },
  );
}

async function recipeHash(): Promise<string> {
  const folder = path.join(import.meta.dirname, 'root');
  const names = (await readdir(folder)).sort().map((name) => path.join(folder, name));
  const hash = createHash('sha256').update(packages.join(' '));
  for (const file of [path.join(import.meta.dirname, 'build-root.sh'), ...names]) {
    hash.update(`\0${path.basename(file)}\0`).update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 16);
}
