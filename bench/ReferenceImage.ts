import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const MIB = 1 << 20;
const SECTOR = 512;
/** Where the first partition begins, as in images of Raspberry Pi OS. */
const FIRST_PARTITION = 4 * MIB;

/** One image in every form that the measurements need; all are paths. */
export interface ImageFiles {
  readonly raw: string;
  readonly gzip: string;
  readonly xz: string;
  readonly zstd: string;
  readonly blockMap: string;
  /** Bytes of the raw image, and its hash in hex. */
  readonly size: number;
  readonly sha256: string;
  /** Bytes that the block map says are in use. */
  readonly usedBytes: number;
}

interface ImageShape {
  readonly name: string;
  /** Bytes of the boot and of the root partition. */
  readonly bootBytes: number;
  readonly rootBytes: number;
  /** The part of the Debian system that goes into the root partition. */
  readonly tree: string;
}

const SHAPES = {
  /** About 2.3 GB with 0.9 GB of data, like a desktop image of a Pi. */
  reference: {
    name: 'reference',
    bootBytes: 256 * MIB,
    rootBytes: 1936 * MIB,
    tree: '.',
  },
  /** 256 MiB, for devices throttled to 20 MB/s. */
  quarter: {
    name: 'quarter',
    bootBytes: 64 * MIB,
    rootBytes: 188 * MIB,
    tree: 'usr/bin',
  },
  small: { name: 'small', bootBytes: 40 * MIB, rootBytes: 52 * MIB, tree: 'usr/sbin' },
} as const satisfies Record<string, ImageShape>;

export type ImageName = keyof typeof SHAPES;

/** Packages that bring a minimal Debian to about 0.9 GB: kernel, tools and languages of an IoT box. */
const PACKAGES = [
  'linux-image-amd64',
  'network-manager',
  'nodejs',
  'openssh-server',
  'python3',
  'wpasupplicant',
];

/** A command at the lowest priority, so that a build does not disturb its neighbours. */
async function nicely(command: string, ...args: string[]): Promise<void> {
  await run('/usr/bin/nice', ['-n', '19', command, ...args], { maxBuffer: 64 * MIB });
}

/** Makes a file by `make` unless it is there; a half-made file is never taken for a whole one. */
async function cached(path: string, make: (unfinished: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  const unfinished = `${path}.part`;
  await rm(unfinished, { recursive: true, force: true });
  await make(unfinished);
  await rename(unfinished, path);
  return path;
}

/** A Debian system as a folder, made by mmdebstrap from the machine's own package sources. */
async function debianSystem(cache: string): Promise<string> {
  return cached(join(cache, 'system'), async (target) => {
    const sources = '/etc/apt/sources.list.d/debian.sources';
    await nicely(
      '/usr/bin/mmdebstrap',
      '--variant=minbase',
      '--mode=root',
      '--format=directory',
      `--include=${PACKAGES.join(',')}`,
      'bookworm',
      target,
      ...(existsSync(sources) ? [sources] : []),
    );
  });
}

/** A FAT file system with a kernel and the three text files of a Pi's boot partition. */
async function makeBoot(path: string, bytes: number, system: string): Promise<void> {
  await (await open(path, 'w')).close();
  await truncate(path, bytes);
  await nicely('/usr/sbin/mkfs.vfat', '-F', '32', '-n', 'bootfs', path);
  const kernels = await run('/usr/bin/find', [`${system}/boot`, '-type', 'f', '-size', '+1M']);
  for (const file of kernels.stdout.split('\n').filter((line) => line !== '')) {
    if ((await stat(file)).size < bytes / 3) await nicely('/usr/bin/mcopy', '-i', path, file, '::');
  }
}

async function makeRaw(path: string, shape: ImageShape, system: string): Promise<void> {
  const boot = `${path}.boot`;
  const rootStart = FIRST_PARTITION + shape.bootBytes;
  await makeBoot(boot, shape.bootBytes, system);
  await (await open(path, 'w')).close();
  await truncate(path, rootStart + shape.rootBytes);
  const table = [
    'label: dos',
    'label-id: 0x6b6f7861',
    `start=${String(FIRST_PARTITION / SECTOR)}, size=${String(shape.bootBytes / SECTOR)}, type=c`,
    `start=${String(rootStart / SECTOR)}, size=${String(shape.rootBytes / SECTOR)}, type=83`,
  ].join('\n');
  const sfdisk = run('/usr/sbin/sfdisk', ['--quiet', path]);
  sfdisk.child.stdin?.end(`${table}\n`);
  await sfdisk;
  await nicely(
    '/usr/bin/dd',
    `if=${boot}`,
    `of=${path}`,
    'bs=1M',
    `seek=${String(FIRST_PARTITION / MIB)}`,
    'conv=notrunc,sparse',
  );
  await rm(boot);
  await nicely(
    '/usr/sbin/mke2fs',
    ...['-q', '-F', '-t', 'ext4', '-L', 'rootfs', '-d', join(system, shape.tree)],
    ...['-E', `offset=${String(rootStart)}`],
    path,
    `${String(shape.rootBytes / 1024)}k`,
  );
}

async function readUsedBytes(blockMap: string): Promise<number> {
  const text = (await run('/usr/bin/cat', [blockMap])).stdout;
  const blocks = /<MappedBlocksCount>\s*(\d+)/.exec(text)?.[1];
  const blockSize = /<BlockSize>\s*(\d+)/.exec(text)?.[1];
  if (blocks === undefined || blockSize === undefined) throw new Error(`${blockMap}: not a bmap`);
  return Number(blocks) * Number(blockSize);
}

/** Lower-case hex. */
async function hashOf(path: string): Promise<string> {
  const { stdout } = await run('/usr/bin/sha256sum', ['--', path]);
  return stdout.slice(0, 64);
}

/**
 * The image of that name in all its forms, built once into `cache` (a folder) and taken from there
 * afterwards. Needs root, mmdebstrap, mtools, dosfstools, e2fsprogs, fdisk, xz, gzip, zstd, bmaptool.
 */
export async function referenceImage(
  cache: string,
  name: ImageName,
  tell: (line: string) => void,
): Promise<ImageFiles> {
  await mkdir(cache, { recursive: true });
  const shape = SHAPES[name];
  const raw = await cached(join(cache, `${name}.img`), async (path) => {
    tell(`building ${name}.img`);
    await makeRaw(path, shape, await debianSystem(cache));
  });
  const packed = async (extension: string, command: string, ...args: string[]) =>
    cached(`${raw}.${extension}`, async (path) => {
      tell(`building ${name}.img.${extension}`);
      const source = path.slice(0, -`.${extension}.part`.length);
      const work = `${path}.source`;
      await copyFile(source, work);
      await nicely(command, ...args, work);
      await rename(`${work}.${extension}`, path);
    });
  const blockMap = await cached(`${raw}.bmap`, (path) =>
    nicely('/usr/bin/bmaptool', 'create', '-o', path, raw),
  );
  return {
    raw,
    blockMap,
    zstd: await packed('zst', '/usr/bin/zstd', '-q', '-T0', '--rm'),
    gzip: await packed('gz', '/usr/bin/gzip'),
    xz: await packed('xz', '/usr/bin/xz', '-T0'),
    size: (await stat(raw)).size,
    sha256: await hashOf(raw),
    usedBytes: await readUsedBytes(blockMap),
  };
}
