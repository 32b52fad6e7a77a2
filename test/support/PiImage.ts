import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeExt, makeSparseFile, makeTree, runTool } from './ext4Images.ts';
import { SeededRandom } from './SeededRandom.ts';

const run = promisify(execFile);

const MIB = 1 << 20;
const SECTOR = 512;
const BOOT = { offset: 1 * MIB, bytes: 8 * MIB };

/** The forms in which an image comes, with the command that makes each beside a copy of the image. */
const PACKERS = {
  gz: ['gzip', '-1'],
  zst: ['zstd', '-q', '--rm', '-3'],
  xz: ['xz', '-1', '-T2', '--block-size=4MiB'],
  bz2: ['bzip2', '-1'],
  zip: ['zip', '-q', '-1', '-j'],
} as const;

export type PackedForm = keyof typeof PACKERS;
export const IMAGE_FORMS = ['img', 'gz', 'zst', 'xz', 'bz2', 'zip'] as const satisfies readonly (
  'img' | PackedForm
)[];
export type ImageForm = (typeof IMAGE_FORMS)[number];

export interface PiImage {
  /** Path of the raw image. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** The image in one of its forms, packed at the first call. */
  form(form: ImageForm): Promise<string>;
  /** A block map of it, made by bmaptool. */
  blockMap(): Promise<string>;
}

/** How an image is made. */
export interface PiImageShape {
  readonly table: 'dos' | 'gpt';
  /** Bytes, whole MiB, 24 MiB at least. */
  readonly size: number;
  /** Makes the same contents again. */
  readonly seed: number;
}

/** A small image like a Pi's: a FAT boot partition with its text files, an ext4 root half full. */
export async function makePiImage(
  folder: string,
  name: string,
  { table, size, seed }: PiImageShape,
): Promise<PiImage> {
  const path = join(folder, `${name}.img`);
  const random = new SeededRandom(seed);
  const root = { offset: BOOT.offset + BOOT.bytes, bytes: size - BOOT.offset - BOOT.bytes - MIB };
  makeSparseFile(path, size);
  runTool('sfdisk', ['--quiet', path], layout(table, root.bytes));
  await makeBoot(folder, path, random);
  const tree = join(folder, `${name}.tree`);
  makeTree(tree, random, Math.floor(root.bytes / 2));
  makeExt(path, { ...root, options: ['-t', 'ext4', '-L', 'rootfs'] }, tree);
  const sha256 = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  return {
    ...{ path, size, sha256 },
    form: async (form) => (form === 'img' ? path : pack(path, form)),
    blockMap: async () => {
      await run('/usr/bin/bmaptool', ['create', '-o', `${path}.bmap`, path]);
      return `${path}.bmap`;
    },
  };
}

function layout(table: PiImageShape['table'], rootBytes: number): string {
  const sectors = (bytes: number) => String(bytes / SECTOR);
  const [boot, root] = table === 'dos' ? ['c', '83'] : ['uefi', 'linux'];
  const start = BOOT.offset + BOOT.bytes;
  return [
    `label: ${table}`,
    `start=${sectors(BOOT.offset)}, size=${sectors(BOOT.bytes)}, type=${boot}`,
    `start=${sectors(start)}, size=${sectors(rootBytes)}, type=${root}`,
    '',
  ].join('\n');
}

async function makeBoot(folder: string, image: string, random: SeededRandom): Promise<void> {
  const boot = join(folder, 'boot.fat');
  makeSparseFile(boot, BOOT.bytes);
  runTool('mkfs.vfat', ['-n', 'bootfs', boot]);
  const texts = {
    'cmdline.txt': 'console=serial0,115200 root=PARTUUID=6b6f7861-02 rootwait\n',
    'config.txt': 'arm_64bit=1\n',
    'issue.txt': 'Boxwright test image\n',
    'kernel8.img': random.bytes(3 * MIB),
  };
  for (const [name, content] of Object.entries(texts)) {
    await writeFile(join(folder, name), content);
    runTool('mcopy', ['-o', '-i', boot, join(folder, name), '::']);
  }
  const seek = String(BOOT.offset / MIB);
  runTool('dd', [`if=${boot}`, `of=${image}`, 'bs=1M', `seek=${seek}`, 'conv=notrunc,sparse']);
}

async function pack(image: string, form: PackedForm): Promise<string> {
  const packed = `${image}.${form}`;
  if ((await stat(packed).catch(() => null)) !== null) return packed;
  const [command, ...words] = PACKERS[form];
  if (form === 'zip') {
    runTool(command, [...words, packed, image]);
    return packed;
  }
  const work = `${image}.${form}.work`;
  await copyFile(image, work);
  runTool(command, [...words, work]);
  await rename(`${work}.${form}`, packed);
  return packed;
}
