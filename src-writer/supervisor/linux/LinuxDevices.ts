import { closeSync, constants, existsSync, fstatSync, openSync } from 'node:fs';
import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Drive } from '../../../src-core/Drive.ts';
import type { EjectOutcome } from '../../../src-core/FlashEvent.ts';
import { fail } from '../../../src-core/Failure.ts';
import { callerAccount } from '../CallerAccount.ts';
import type { DevicePlatform, HeldDevice } from '../DevicePlatform.ts';
import { type MountEntry, parseMountInfo } from '../../../src-drives/linux/MountTable.ts';
import { runTool, toolPath } from '../SystemTool.ts';

/** Whole block devices on Linux, as sysfs (Documentation/ABI/stable/sysfs-block) describes them. */
export class LinuxDevices implements DevicePlatform {
  readonly #folder: string;

  /** @param folder absolute path of the programs, with a slash at its end */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** With no_new_privs nothing that the engine might start gains rights, setuid programs included. */
  async engineCommand(): Promise<{ command: string[]; handsFiles: boolean }> {
    const { uid, gid, isRoot } = await callerAccount();
    const launch = [`${this.#folder}engine-launcher.mjs`, `${this.#folder}engine.cjs`, uid, gid];
    const bounded = [toolPath('setpriv', 'util-linux'), '--no-new-privs', '--'];
    return { command: [...bounded, process.execPath, ...launch], handsFiles: isRoot };
  }

  async wholeDevice(path: string): Promise<string> {
    const real = await realpath(path).catch(() => '');
    if (!real.startsWith('/dev/')) throw fail('drive-not-found', { drive: path });
    const { rdev } = await stat(real);
    // sysfs lists block devices only; 0:0 is what anything but a device has.
    const attributes = await readdir(sysfsOf(rdev)).catch(() => ['partition']);
    if (attributes.includes('partition')) throw fail('drive-not-whole', { drive: path });
    return real;
  }

  async hold(
    drive: Drive,
    { forWriting, discard }: { forWriting: boolean; discard: boolean },
  ): Promise<HeldDevice> {
    const { rdev } = await stat(drive.path).catch(() => ({ rdev: 0 }));
    if (rdev === 0) throw fail('reader-lost', { drive: drive.path });
    if (forWriting) await unmountAll(drive, rdev);
    const fd = openDevice(drive.path, forWriting);
    try {
      await proveSame(drive, fd, rdev);
      const isReadOnly = (await sysfsNumber(rdev, 'ro')) !== 0;
      if (forWriting && isReadOnly) throw fail('write-protected', { drive: drive.path });
      const logicalBlockSize = await sysfsNumber(rdev, 'queue/logical_block_size');
      const discarded = discard && (await discardAll(fd));
      const facts = { size: drive.size, logicalBlockSize, discarded };
      return { device: { kind: 'descriptor', fd }, ...facts, ...endings(drive, fd, rdev) };
    } catch (cause) {
      closeSync(fd);
      throw cause;
    }
  }
}

function endings(drive: Drive, fd: number, rdev: number): Pick<HeldDevice, 'eject' | 'release'> {
  let open = true;
  const release = (): Promise<void> => {
    if (open) closeSync(fd);
    open = false;
    return Promise.resolve();
  };
  return { release, eject: () => ejectMedium(drive, rdev).finally(release) };
}

/** START STOP UNIT to this unit of the reader alone; a native SD slot has nothing to eject. */
async function ejectMedium(drive: Drive, rdev: number): Promise<EjectOutcome> {
  if (drive.virtual) return 'not-ejectable';
  await unmountAll(drive, rdev);
  if (drive.bus === 'sd') return 'ejected';
  const tool = toolPath('eject', 'eject');
  const result = await runTool(tool, ['--scsi', '--no-unmount', '--', drive.path]);
  if (result.ok) return 'ejected';
  throw fail('eject-failed', { drive: drive.path, cause: result.errorText });
}

function openDevice(drive: string, forWriting: boolean): number {
  const { O_RDWR, O_EXCL, O_RDONLY, O_DIRECT, O_NOFOLLOW, O_NOCTTY } = constants;
  try {
    const access = forWriting ? O_RDWR | O_EXCL : O_RDONLY;
    return openSync(drive, access | O_DIRECT | O_NOFOLLOW | O_NOCTTY);
  } catch (thrown) {
    const cause = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
    if (cause === 'EBUSY') throw fail('drive-busy', { drive });
    if (['EROFS', 'EACCES'].includes(cause)) throw fail('write-protected', { drive });
    if (cause === 'ENOMEDIUM') throw fail('card-lost', { drive });
    if (['ENOENT', 'ENODEV', 'ENXIO'].includes(cause)) throw fail('reader-lost', { drive });
    throw fail('drive-open-failed', { drive, cause }, { cause: thrown });
  }
}

/** The device behind the descriptor must be the one the scan saw: name, number, sequence, size. */
async function proveSame(drive: Drive, fd: number, rdev: number): Promise<void> {
  const changed = (what: string): Error => fail('drive-changed', { drive: drive.path, what });
  const opened = fstatSync(fd);
  if (!opened.isBlockDevice() || opened.rdev !== rdev) throw changed('device');
  const kernelName = basename(await realpath(sysfsOf(rdev)));
  if (`/dev/${kernelName.replaceAll('!', '/')}` !== drive.path) throw changed('device');
  const sequence = await sysfsNumber(rdev, 'diskseq').catch(() => null);
  if (sequence !== drive.sequence) throw changed('sequence');
  if ((await sysfsNumber(rdev, 'size')) * 512 !== drive.size) throw changed('size');
}

/**
 * Through the held descriptor, so that a name given away meanwhile is never discarded; --force
 * because our own exclusive open would refuse blkdiscard's. A medium that cannot is no failure.
 */
async function discardAll(fd: number): Promise<boolean> {
  const held = `/proc/${String(process.pid)}/fd/${String(fd)}`;
  return (await runTool(toolPath('blkdiscard', 'util-linux'), ['--force', held])).ok;
}

/**
 * What was mounted last goes first. A path that something else was mounted over later is left
 * alone: unmounting it would take the wrong one.
 * @throws FailureError unmount-failed, for the first mount that stays
 */
async function unmountAll(drive: Drive, rdev: number): Promise<void> {
  const umount = toolPath('umount', 'mount');
  const parts = await partsOf(drive, rdev);
  for (;;) {
    const table = parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
    const isPart = ({ number, source }: MountEntry): boolean =>
      parts.has(number) || parts.has(source);
    const mount = table.findLast(isPart);
    if (!mount) return;
    const failed = (cause: string): Error =>
      fail('unmount-failed', { drive: drive.path, mountPoint: mount.path, cause });
    const top = table.findLast(({ path }) => path === mount.path);
    if (top && !isPart(top)) throw failed('covered by another mount');
    const result = await runTool(umount, ['--no-canonicalize', '--', mount.path]);
    if (!result.ok) throw failed(result.errorText);
  }
}

/** Numbers ("8:17") and paths of the drive and its partitions; btrfs shows only the path. */
async function partsOf(drive: Drive, rdev: number): Promise<Set<string>> {
  const parts = new Set([numberOf(rdev), drive.path]);
  for (const name of await readdir(sysfsOf(rdev))) {
    const folder = `${sysfsOf(rdev)}/${name}`;
    if (!existsSync(`${folder}/partition`)) continue;
    parts.add((await readFile(`${folder}/dev`, 'utf8')).trim());
    parts.add(`/dev/${name.replaceAll('!', '/')}`);
  }
  return parts;
}

/** "8:16" of a dev_t, as makedev(3) packs it. */
function numberOf(rdev: number): string {
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  return `${String((rdev >>> 8) & 0xfff)}:${String(minor)}`;
}

function sysfsOf(rdev: number): string {
  return `/sys/dev/block/${numberOf(rdev)}`;
}

async function sysfsNumber(rdev: number, attribute: string): Promise<number> {
  return Number(await readFile(`${sysfsOf(rdev)}/${attribute}`, 'utf8'));
}
