import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { type Drive, identityDifference, identityOf } from '../../../src-core/Drive.ts';
import type { EjectOutcome } from '../../../src-core/FlashEvent.ts';
import { fail } from '../../../src-core/Failure.ts';
import { plainText } from '../../../src-core/PlainText.ts';
import { devicePath } from '../../../src-drives/linux/BlockGraph.ts';
import { type MountEntry, parseMountInfo } from '../../../src-drives/linux/MountTable.ts';
import { type SysBlockDevice, readSysBlock } from '../../../src-drives/linux/SysBlock.ts';
import { callerAccount } from '../CallerAccount.ts';
import type { DevicePlatform, HeldDevice, HoldOptions } from '../DevicePlatform.ts';
import { inTime, runTool, toolPath } from '../SystemTool.ts';

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
    const programs = ['engine-launcher.mjs', 'engine.cjs'].map((name) => this.#folder + name);
    const node = [toolPath('setpriv', 'util-linux'), '--no-new-privs', '--', process.execPath];
    return { command: [...node, '--disable-sigusr1', ...programs, uid, gid], handsFiles: isRoot };
  }

  async wholeDevice(drive: string): Promise<string> {
    const real = await realpath(drive).catch(() => '');
    if (!real.startsWith('/dev/')) throw fail('drive-not-found', { drive });
    if (deviceOf(await stat(real))?.wholeDisk !== null) throw fail('drive-not-whole', { drive });
    return real;
  }

  async hold(drive: Drive, { forWriting, discard, signal }: HoldOptions): Promise<HeldDevice> {
    const found = await stat(drive.path).catch(() => null);
    if (!found) throw fail('reader-lost', { drive: drive.path });
    proveSame(drive, found);
    if (forWriting) await unmountAll(drive, signal);
    const fd = openDevice(drive.path, forWriting);
    try {
      const { readOnly, logicalBlockSize, discards } = proveSame(drive, fstatSync(fd));
      if (forWriting && readOnly !== false) throw fail('write-protected', { drive: drive.path });
      const discarded = !!discard && discards !== false && (await discardAll(fd, discard, signal));
      const facts = { size: drive.size, logicalBlockSize: logicalBlockSize ?? 512, discarded };
      return { device: { kind: 'descriptor', fd }, ...facts, ...endings(drive, fd, signal) };
    } catch (cause) {
      closeSync(fd);
      throw cause;
    }
  }
}

function endings(drive: Drive, fd: number, signal: AbortSignal) {
  let open = true;
  const release = async (rewritten = false): Promise<void> => {
    if (open) closeSync(fd);
    open = false;
    if (rewritten) await rereadTable(drive.path, signal).catch(() => undefined);
  };
  return { release, eject: () => ejectMedium(drive, signal).finally(release) };
}

/** udev does this when a device is closed, unless it is looking at that very device just then. */
async function rereadTable(drive: string, signal: AbortSignal): Promise<void> {
  await runMortal(toolPath('blockdev', 'util-linux'), ['--rereadpt', drive], inTime(signal));
}

/** START STOP UNIT to this unit of the reader alone; a native SD slot has nothing to eject. */
async function ejectMedium(drive: Drive, signal: AbortSignal): Promise<EjectOutcome> {
  if (drive.virtual) return 'not-ejectable';
  await unmountAll(drive, signal);
  if (drive.bus === 'sd') return 'ejected';
  const options = ['--scsi', '--no-unmount', '--', drive.path];
  const result = await runMortal(toolPath('eject', 'eject'), options, inTime(signal));
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

/**
 * The device must be the one that the scan saw. Kernels before 5.15 count no sequence: there another
 * medium of the same size in the same reader cannot be told apart.
 */
function proveSame(drive: Drive, stats: Stats): SysBlockDevice {
  const changed = (what: string): Error => fail('drive-changed', { drive: drive.path, what });
  const seen = deviceOf(stats);
  if (!seen || devicePath(seen.name) !== drive.path) throw changed('device');
  const { size, sequence } = seen;
  if (!size) throw fail('card-lost', { drive: drive.path });
  // Without one here, and for every WWN, the scan had to ask udev.
  const serial = seen.serial === null ? drive.serial : plainText(seen.serial) || null;
  const what = identityDifference(identityOf(drive), { ...drive, size, sequence, serial });
  if (what !== null) throw changed(what);
  return seen;
}

/**
 * Through the held descriptor, so that a name given away meanwhile is never discarded; --force
 * because our own exclusive open would refuse blkdiscard's, and in steps because it can be killed
 * only between them. A medium that cannot is no failure.
 */
async function discardAll(fd: number, begins: () => void, signal: AbortSignal): Promise<boolean> {
  const options = ['--force', '--step', '256M', `/proc/${String(process.pid)}/fd/${String(fd)}`];
  const discarding = runMortal(toolPath('blkdiscard', 'util-linux'), options, signal);
  begins();
  return (await discarding).ok;
}

/** Runs what ends with this process, however that ends: it must not go on with a card of later. */
function runMortal(tool: string, args: readonly string[], signal: AbortSignal) {
  signal.throwIfAborted();
  const mortal = ['--pdeathsig', 'KILL', '--', tool, ...args];
  return runTool(toolPath('setpriv', 'util-linux'), mortal, signal);
}

/**
 * What was mounted last goes first. A path that something else was mounted over later, or that a
 * link leads to, is left alone: unmounting it would take the wrong one.
 * @throws FailureError unmount-failed, for the first mount that stays
 */
async function unmountAll(drive: Drive, signal: AbortSignal): Promise<void> {
  const own = readSysBlock('/sys').filter((it) => (it.wholeDisk ?? it.name) === drive.name);
  const parts = new Set(own.flatMap(({ number, name }) => [number, devicePath(name)]));
  // What a mount calls its source is the word of whoever mounted it, with FUSE of anybody. These
  // two, which only root can mount, may have several devices and so no number of one.
  const isPart = ({ number, fileSystem, source }: MountEntry): boolean =>
    parts.has(number) ||
    (number.startsWith('0:') &&
      ['btrfs', 'bcachefs'].includes(fileSystem) &&
      source.split(':').some((path) => parts.has(path)));
  for (;;) {
    const table = parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
    const mount = table.findLast(isPart);
    if (!mount) return;
    const failed = (cause: string): Error =>
      fail('unmount-failed', { drive: drive.path, mountPoint: mount.path, cause });
    const top = table.findLast(({ path }) => path === mount.path);
    if (top && !isPart(top)) throw failed('covered by another mount');
    const real = await realpath(mount.path).catch(() => null);
    if (real !== mount.path) throw failed('not where the mount table says');
    const options = ['--internal-only', '--no-canonicalize', '--', mount.path];
    const result = await runMortal(toolPath('umount', 'mount'), options, inTime(signal));
    if (!result.ok) throw failed(result.errorText);
  }
}

/** Of "major:minor", as makedev(3) packs them. */
function deviceOf(stats: Stats): SysBlockDevice | undefined {
  const minor = (stats.rdev & 0xff) | ((stats.rdev >>> 12) & 0xfff00);
  const number = `${String((stats.rdev >>> 8) & 0xfff)}:${String(minor)}`;
  const devices = stats.isBlockDevice() ? readSysBlock('/sys') : [];
  return devices.find((device) => device.number === number);
}
