import { constants } from 'node:fs';
import type { Drive } from '../../../src-core/Drive.ts';
import type { EjectOutcome } from '../../../src-core/FlashEvent.ts';
import { type Failure, fail, failure, FailureError } from '../../../src-core/Failure.ts';
import {
  type DiskutilInfo,
  parseDiskutilInfo,
  parseRegistry,
} from '../../../src-drives/macos/Diskutil.ts';
import { callerAccount } from '../CallerAccount.ts';
import type { DevicePlatform, HeldDevice } from '../DevicePlatform.ts';
import { type MacosSystem, macosSystem } from './MacosSystem.ts';

/**
 * open(2) of macOS, <sys/fcntl.h>; Node does not export it. On a disk it is mandatory, and gives
 * EBUSY while anything of the disk is mounted (README of ronomon/direct-io).
 */
const O_EXLOCK = 0x20;

/** Spotlight and the like look at a medium for a moment after it was given back. */
const EJECT_TRIES = 5;
const EJECT_PAUSE = 500;

/**
 * Whole disks on macOS, through diskutil(8) and /dev/rdiskN. Raw character devices have no buffer
 * in the kernel: reads and writes are past any cache without O_DIRECT, which macOS does not have.
 * Written from documentation and bug reports; never run.
 */
export class MacosDevices implements DevicePlatform {
  readonly #folder: string;
  readonly #system: MacosSystem;

  /** @param folder absolute path of the programs, with a slash at its end */
  constructor(folder: string, system: MacosSystem = macosSystem) {
    this.#folder = folder;
    this.#system = system;
  }

  async engineCommand(): Promise<{ command: string[]; handsFiles: boolean }> {
    const { uid, gid, isRoot } = await callerAccount();
    const launch = [`${this.#folder}engine-launcher.mjs`, `${this.#folder}engine.cjs`, uid, gid];
    return { command: [process.execPath, '--disable-sigusr1', ...launch], handsFiles: isRoot };
  }

  wholeDevice(path: string): Promise<string> {
    const [, name, partition] = /^\/dev\/r?(disk\d+)(s\d+)*$/.exec(path) ?? [];
    if (partition !== undefined) return Promise.reject(fail('drive-not-whole', { drive: path }));
    if (name === undefined) return Promise.reject(fail('drive-not-found', { drive: path }));
    return Promise.resolve(`/dev/${name}`);
  }

  /**
   * While a whole disk is open for writing, IOKit lets nobody else write to it or to one of its
   * partitions, so that Disk Arbitration can mount nothing until the descriptor is closed, here and
   * in the engine.
   */
  async hold(drive: Drive, { forWriting }: { forWriting: boolean }): Promise<HeldDevice> {
    if (forWriting) await this.#unmount(drive);
    const fd = this.#open(drive, forWriting);
    try {
      const info = await this.#proveSame(drive, fd);
      if (forWriting && info.writable === false) {
        throw fail('write-protected', { drive: drive.path });
      }
      const { size, logicalBlockSize } = drive;
      const facts = { size, logicalBlockSize, discarded: false };
      return { device: { kind: 'descriptor', fd }, ...facts, ...this.#endings(drive, fd) };
    } catch (cause) {
      this.#system.close(fd);
      throw cause;
    }
  }

  #endings(drive: Drive, fd: number): Pick<HeldDevice, 'eject' | 'release'> {
    let open = true;
    const release = (): Promise<void> => {
      if (open) this.#system.close(fd);
      open = false;
      return Promise.resolve();
    };
    return { release, eject: () => release().then(() => this.#eject(drive)) };
  }

  /** Made-up APFS disks keep their store busy (raspberrypi/rpi-imager#270): their volumes go first. */
  async #unmount({ path: drive, partitions }: Drive): Promise<void> {
    const mounts = partitions.flatMap(({ fileSystem, mounts }) =>
      mounts.map(({ path }) => ({ path, madeUp: fileSystem === 'apfs' })),
    );
    for (const { path } of mounts.filter(({ madeUp }) => madeUp)) {
      await this.#system.run('diskutil', 'unmount', path);
    }
    const gentle = await this.#system.run('diskutil', 'unmountDisk', drive);
    if (gentle.ok) return;
    const forced = await this.#system.run('diskutil', 'unmountDisk', 'force', drive);
    if (forced.ok) return;
    const cause = forced.errorText || forced.output;
    if (/unable to find disk/i.test(cause)) throw fail('reader-lost', { drive });
    throw fail('unmount-failed', { drive, mountPoint: mounts[0]?.path ?? drive, cause });
  }

  /** O_NONBLOCK: a lock that somebody else has is an error, not something to wait for. */
  #open({ path: drive }: Drive, forWriting: boolean): number {
    const access = forWriting ? constants.O_RDWR | O_EXLOCK : constants.O_RDONLY;
    try {
      const raw = drive.replace('/dev/disk', '/dev/rdisk');
      return this.#system.open(raw, access | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch (thrown) {
      const cause = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
      throw new FailureError(openFailure(drive, cause), { cause: thrown });
    }
  }

  /** Whoever holds the device open reads about it: the registry's number changes with every medium. */
  async #proveSame(drive: Drive, fd: number): Promise<DiskutilInfo> {
    const changed = (what: string): Error => fail('drive-changed', { drive: drive.path, what });
    if (!this.#system.isCharacterDevice(fd)) throw changed('device');
    const registry = await this.#system.run('ioreg', '-a', '-l', '-r', '-c', 'IOMedia', '-d', '1');
    const medium = parseRegistry(registry.output).get(drive.name);
    if ((medium?.entryId ?? null) !== drive.sequence) throw changed('sequence');
    const printed = await this.#system.run('diskutil', 'info', '-plist', drive.name);
    const info = parseDiskutilInfo(printed.output);
    const blockSize = info?.blockSize ?? drive.logicalBlockSize;
    if (info?.size !== drive.size || blockSize !== drive.logicalBlockSize) throw changed('size');
    return info;
  }

  /** Ejects the medium of one slot; diskutil unmounts what was mounted since the device was closed. */
  async #eject({ path: drive, virtual }: Drive): Promise<EjectOutcome> {
    if (virtual) return 'not-ejectable';
    for (let left = EJECT_TRIES; ; left--) {
      const { ok, errorText, output } = await this.#system.run('diskutil', 'eject', drive);
      if (ok) return 'ejected';
      if (left <= 1) throw fail('eject-failed', { drive, cause: errorText || output });
      await this.#system.pause(EJECT_PAUSE);
    }
  }
}

/** Root meets EPERM only where privacy settings keep programs from removable volumes. */
function openFailure(drive: string, cause: string): Failure {
  if (cause === 'EPERM') return failure('permission-volume-access-refused', { drive });
  if (cause === 'EBUSY' || cause === 'EAGAIN') return failure('drive-busy', { drive });
  if (cause === 'EACCES' || cause === 'EROFS') return failure('write-protected', { drive });
  if (cause === 'ENXIO') return failure('card-lost', { drive });
  if (cause === 'ENOENT' || cause === 'ENODEV') return failure('reader-lost', { drive });
  return failure('drive-open-failed', { drive, cause });
}
