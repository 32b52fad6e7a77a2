import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Folders of ours are named by their maker, so that a killed test's leftovers can be told from a running one's. */
const NAME = /^boxwright-test-(\d+)-(\d+)-/;
const ZRAM_NOTE = /^(zram\d+)\.(\d+)\.zram$/;
const GROUP_NOTE = /^(.+)\.cgroup$/;
const BLKIO = '/sys/fs/cgroup/blkio';

/** When a process started, in clock ticks since boot (field 22 of /proc/PID/stat); null when it is gone. */
function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

let swept: Promise<void> | null = null;

/**
 * A fresh folder that belongs to this process. The first call also clears away what processes that
 * are gone left behind: their loop and zram devices, mounts, groups and files, and no others.
 */
export async function makeOwnFolder(): Promise<string> {
  swept ??= sweepLeftovers();
  await swept;
  const prefix = `boxwright-test-${String(process.pid)}-${startTime(process.pid) ?? '0'}-`;
  return mkdtemp(join(tmpdir(), prefix));
}

/** Clears away what killed tests left behind. */
export async function sweepLeftovers(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    const [, pid, start] = NAME.exec(entry) ?? [];
    if (pid === undefined || start === undefined || startTime(Number(pid)) === start) continue;
    // Another run may be clearing the same folder away at this moment.
    await removeOwnFolder(join(tmpdir(), entry)).catch(() => null);
  }
}

/** Detaches every loop device on files in the folder, removes the noted devices and groups, unmounts, deletes. */
export async function removeOwnFolder(folder: string): Promise<void> {
  for (const loop of await loopsOn(folder)) await detach(loop, folder);
  const notes = await readdir(folder).catch(() => []);
  for (const note of notes) {
    const [, zram, sequence] = ZRAM_NOTE.exec(note) ?? [];
    if (zram !== undefined && sequence !== undefined) await removeZram(zram, sequence);
    const group = GROUP_NOTE.exec(note)?.[1];
    if (group !== undefined) await run('/usr/bin/rmdir', [join(BLKIO, group)]).catch(() => null);
  }
  for (const mountPoint of await mountsIn(folder)) {
    await run('/usr/bin/umount', ['-l', mountPoint]).catch(() => null);
  }
  await rm(folder, { recursive: true, force: true });
}

async function detach(loop: string, folder: string): Promise<void> {
  try {
    await run('/usr/sbin/losetup', ['-d', `/dev/${loop}`]);
  } catch (cause) {
    // The process that plays a disk takes it down itself when its test is gone, at this moment even.
    if ((await loopsOn(folder)).includes(loop)) throw cause;
  }
}

async function loopsOn(folder: string): Promise<string[]> {
  const loops: string[] = [];
  for (const name of await readdir('/sys/block')) {
    if (!name.startsWith('loop')) continue;
    const file = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '');
    if (file.startsWith(`${folder}/`)) loops.push(name);
  }
  return loops;
}

async function mountsIn(folder: string): Promise<string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8');
  const points = table.split('\n').map((line) => line.split(' ')[1] ?? '');
  return points.filter((point) => point.startsWith(`${folder}/`)).reverse();
}

/** Notes a zram device in the folder; the number alone may be given to another after removal. */
export async function noteZram(folder: string, name: string): Promise<void> {
  const sequence = (await readFile(`/sys/block/${name}/diskseq`, 'utf8')).trim();
  await writeFile(join(folder, `${name}.${sequence}.zram`), '');
}

async function removeZram(name: string, sequence: string): Promise<void> {
  const now = await readFile(`/sys/block/${name}/diskseq`, 'utf8').catch(() => '');
  if (now.trim() !== sequence) return;
  await writeFile(`/sys/block/${name}/reset`, '1');
  await writeFile('/sys/class/zram-control/hot_remove', name.slice('zram'.length));
}

/** Notes a blkio group in the folder. */
export async function noteGroup(folder: string, group: string): Promise<void> {
  await writeFile(join(folder, `${group}.cgroup`), '');
}
