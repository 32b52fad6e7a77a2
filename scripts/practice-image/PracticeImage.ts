import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { bootFiles, DISK_ID, rootEntries, type RootEntry } from './content.ts';

const MIB = 1024 * 1024;
const SECTOR = 512;

/** Bytes. Raspberry Pi OS leaves the same 4 MiB before its boot partition. */
export const layout = {
  boot: { start: 4 * MIB, size: 40 * MIB },
  root: { start: 44 * MIB, size: 48 * MIB },
  size: 92 * MIB,
};

/** 2025-01-01T00:00:00Z, the time of everything in the image, in seconds. */
const EPOCH = 1735689600;

const ROOT_UUID = 'b0c4a7d1-0000-4000-8000-000000000002';

/** Debian's packages of the tools that decide about the bytes. */
const toolPackages = ['dosfstools', 'e2fsprogs', 'fdisk', 'mtools', 'xz-utils'];

function run(tool: string, words: readonly string[], input = ''): string {
  return execFileSync(tool, words, {
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C',
      TZ: 'UTC',
      SOURCE_DATE_EPOCH: String(EPOCH),
      E2FSPROGS_FAKE_TIME: String(EPOCH),
    },
    input,
    encoding: 'utf8',
    stdio: 'pipe',
  });
}

/**
 * What makes an image here, "name version" each: the same versions make the same bytes. Empty where
 * the machine is no Debian.
 */
export function toolVersions(): string[] {
  if (!existsSync('/usr/bin/dpkg-query')) return [];
  const form = '${Package} ${Version}\\n';
  return run('dpkg-query', ['-W', '-f', form, ...toolPackages])
    .trim()
    .split('\n');
}

/** A FAT32 file system: 512-byte clusters, because below 65,525 of them it would be FAT16. */
function makeBootPartition(file: string, folder: string): void {
  writeFileSync(file, '');
  truncateSync(file, layout.boot.size);
  const hidden = String(layout.boot.start / SECTOR);
  const shape = ['-F', '32', '-s', '1', '-n', 'bootfs', '-i', DISK_ID, '-h', hidden];
  run('mkfs.vfat', ['--invariant', ...shape, file]);
  for (const [name, content] of bootFiles) {
    const source = path.join(folder, name);
    writeFileSync(source, content);
    run('mcopy', ['-i', file, source, `::${name}`]);
  }
}

/**
 * An ext4 file system, filled by debugfs: unlike `mke2fs -d` it takes neither the order of a
 * folder's entries nor owners and times from the machine it runs on.
 */
function makeRootPartition(file: string, folder: string): void {
  writeFileSync(file, '');
  truncateSync(file, layout.root.size);
  const extended = `hash_seed=${ROOT_UUID},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0`;
  const shape = ['-t', 'ext4', '-b', '4096', '-L', 'rootfs', '-U', ROOT_UUID, '-E', extended];
  run('mke2fs', ['-q', '-F', ...shape, file]);
  const commands = rootEntries.flatMap((entry, index) =>
    entryCommands(entry, path.join(folder, `root-${String(index)}`)),
  );
  run('debugfs', ['-w', '-f', '-', file], `${commands.join('\n')}\n`);
}

/** The debugfs commands that make one entry. */
function entryCommands(entry: RootEntry, source: string): string[] {
  if (entry.kind === 'link') {
    return [`symlink ${entry.path} ${entry.to}`, ...times(entry.path)];
  }
  const { path: name, mode, owner } = entry;
  const type = entry.kind === 'folder' ? 0o040000 : 0o100000;
  if (entry.kind === 'file') writeFileSync(source, entry.content);
  return [
    entry.kind === 'folder' ? `mkdir ${name}` : `write ${source} ${name}`,
    `sif ${name} mode 0${(type | mode).toString(8)}`,
    `sif ${name} uid ${String(owner)}`,
    `sif ${name} gid ${String(owner)}`,
    ...times(name),
  ];
}

function times(name: string): string[] {
  const fields = ['atime', 'ctime', 'mtime', 'crtime'];
  return fields.map((field) => `sif ${name} ${field} @${String(EPOCH)}`);
}

function writePartitionTable(file: string): void {
  const { boot, root } = layout;
  const row = ({ start, size }: typeof boot, type: string) =>
    `start=${String(start / SECTOR)}, size=${String(size / SECTOR)}, type=${type}`;
  const table = ['label: dos', `label-id: 0x${DISK_ID}`, row(boot, 'c'), row(root, '83')];
  run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', file], `${table.join('\n')}\n`);
}

function copyInto(image: string, partition: string, start: number): void {
  const descriptor = openSync(image, 'r+');
  try {
    writeSync(descriptor, readFileSync(partition), 0, undefined, start);
  } finally {
    closeSync(descriptor);
  }
}

export interface PracticeImage {
  /** Absolute path of the raw image. */
  readonly raw: string;
  /** Absolute path of the same, compressed. */
  readonly compressed: string;
  /** SHA-256 of the raw image, lower-case hex. */
  readonly sha256: string;
}

/**
 * Makes the practice image: a small one with the shape of Raspberry Pi OS (MBR, FAT32 boot
 * partition, ext4 root). The same tools make the same bytes; no rights are needed.
 * @param folder an empty folder to work in; the result stays there
 */
export function makePracticeImage(folder: string): PracticeImage {
  const at = (name: string) => path.join(folder, name);
  const raw = at('practice.img');
  makeBootPartition(at('boot.fat'), folder);
  makeRootPartition(at('root.ext4'), folder);
  writeFileSync(raw, '');
  truncateSync(raw, layout.size);
  writePartitionTable(raw);
  copyInto(raw, at('boot.fat'), layout.boot.start);
  copyInto(raw, at('root.ext4'), layout.root.start);
  // Several blocks, so that the practice image also exercises decoding in parallel.
  run('xz', ['--keep', '-9', '--threads=2', '--block-size=16MiB', raw]);
  const sha256 = createHash('sha256').update(readFileSync(raw)).digest('hex');
  return { raw, compressed: `${raw}.xz`, sha256 };
}
