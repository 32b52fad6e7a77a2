import { setTimeout as pause } from 'node:timers/promises';
import type { Drive } from '../../../src-core/Drive.ts';
import type { EjectOutcome } from '../../../src-core/FlashEvent.ts';
import { fail } from '../../../src-core/Failure.ts';
import { plainText } from '../../../src-core/PlainText.ts';
import type { DevicePlatform, HeldDevice } from '../DevicePlatform.ts';
import { type DiskAgent, type DiskAnswer, PowerShellAgent } from './DiskAgent.ts';

/** Control codes of winioctl.h, in hex. */
const VOLUME = { lock: '90018', dismount: '90020' } as const;
const DISK = { geometry: '700a0', isWritable: '70024', update: '70140', eject: '2d4808' } as const;

/** CreateFile's GENERIC_READ, and with it GENERIC_WRITE, in hex. */
const [READ, WRITE] = ['80000000', 'c0000000'];

/** Bytes: more than a DISK_GEOMETRY_EX has. */
const GEOMETRY_ROOM = 256;

/** Most partitions that a disk has. */
const MOST_PARTITIONS = 128;

/** Explorer, indexing and antivirus look into a volume for moments: a lock is tried this often. */
const LOCK: Readonly<Record<'tries' | 'pause', number>> = { tries: 20, pause: 250 };

/** System error codes of winerror.h. */
const NOT_THERE: readonly number[] = [2, 3];
const UNABLE: readonly number[] = [1, 50];
const ACCESS_DENIED = 5;

type OpenFailureCode =
  'reader-lost' | 'card-lost' | 'write-protected' | 'drive-busy' | 'blocked-by-protection';

/** Administrators may open every disk; controlled folder access and antivirus programs refuse. */
const FAILURES: readonly (readonly [OpenFailureCode, ...number[]])[] = [
  ['reader-lost', ...NOT_THERE, 55, 433, 1167],
  ['card-lost', 21, 1112],
  ['write-protected', 19],
  ['drive-busy', 32],
  ['blocked-by-protection', ACCESS_DENIED],
];

/** What the adapter asks of Windows; tests give a double. */
export interface WindowsSystem {
  readonly Agent: new () => DiskAgent;
  /** @param milliseconds how long to wait before something is tried again */
  pause(milliseconds: number): Promise<unknown>;
}

/**
 * Whole disks on Windows. The engine, which runs elevated here, opens the disk by its path; a lock
 * on a volume lets every program write to the disk underneath it (Windows refuses that otherwise,
 * KB942448) and nothing else into the volume. Windows looks for new partitions only when asked
 * to, which is left undone until the locks are given up: so no volume appears, and no window that
 * offers to format one, without a change to the machine's automount that a crash would leave behind.
 * Written from documentation and bug reports; never run.
 */
export class WindowsDevices implements DevicePlatform {
  readonly #folder: string;
  readonly #system: WindowsSystem;

  /** @param folder absolute path of the programs, with a backslash at its end */
  constructor(folder: string, system: WindowsSystem = { Agent: PowerShellAgent, pause }) {
    this.#folder = folder;
    this.#system = system;
  }

  engineCommand(): Promise<{ command: string[]; handsFiles: boolean }> {
    const engine = `${this.#folder}engine.cjs`;
    return Promise.resolve({ command: [process.execPath, engine], handsFiles: false });
  }

  wholeDevice(path: string): Promise<string> {
    if (/^\\\\\.\\PhysicalDrive\d{1,5}$/.test(path)) return Promise.resolve(path);
    return Promise.reject(fail('drive-not-whole', { drive: path }));
  }

  /**
   * The medium is ejected while the volumes are still locked, so that nothing mounts it in between.
   */
  async hold(drive: Drive, { forWriting }: { forWriting: boolean }): Promise<HeldDevice> {
    const agent = new this.#system.Agent();
    try {
      const disk = granted(drive, await agent.ask('open', drive.path, forWriting ? WRITE : READ));
      if (forWriting) granted(drive, await agent.ask('control', disk, DISK.isWritable, '0'));
      if (forWriting) await this.#lockVolumes(agent, drive);
      const logicalBlockSize = await provenBlockSize(agent, drive, disk);
      const release = (): Promise<void> => {
        // Not waited for: a dead device may never answer.
        if (forWriting) void agent.ask('control', disk, DISK.update, '0');
        return agent.end();
      };
      const eject = async (): Promise<EjectOutcome> => {
        // A virtual disk would be detached.
        if (drive.virtual) return release().then(() => 'not-ejectable');
        const { error, value } = await agent.ask('control', disk, DISK.eject, '0');
        await (error === 0 ? agent.end() : release());
        if (error === 0) return 'ejected';
        if (UNABLE.includes(error)) return 'not-ejectable';
        throw fail('eject-failed', { drive: drive.path, cause: value });
      };
      const device = { kind: 'raw-path', path: drive.path } as const;
      return { device, size: drive.size, logicalBlockSize, discarded: false, eject, release };
    } catch (cause) {
      await agent.end();
      throw cause;
    }
  }

  /** Every volume of the disk, whether it has a letter or not. Numbers may have gaps. */
  async #lockVolumes(agent: DiskAgent, drive: Drive): Promise<void> {
    const disk = drive.name.replace('PhysicalDrive', 'Harddisk');
    for (let number = 1; number <= MOST_PARTITIONS; number++) {
      const volume = `\\\\?\\GLOBALROOT\\Device\\${disk}\\Partition${String(number)}`;
      const opened = await agent.ask('open', volume, WRITE);
      if (NOT_THERE.includes(opened.error)) continue;
      await this.#lock(agent, drive, granted(drive, opened), number);
    }
  }

  /** For half of the tries files may be closed; then they are cut off: the card is to be erased. */
  async #lock(agent: DiskAgent, drive: Drive, volume: string, number: number): Promise<void> {
    for (let left = LOCK.tries; ; left--) {
      const answer = await agent.ask('control', volume, VOLUME.lock, '0');
      if (answer.error === 0) break;
      if (answer.error !== ACCESS_DENIED) granted(drive, answer);
      if (left <= 1) {
        const part = drive.partitions.find(({ name }) => name.endsWith(` ${String(number)}`));
        const mountPoint = part?.mounts[0]?.path ?? `Partition ${String(number)}`;
        throw fail('unmount-failed', { drive: drive.path, mountPoint, cause: answer.value });
      }
      if (left === LOCK.tries / 2) await agent.ask('control', volume, VOLUME.dismount, '0');
      await this.#system.pause(LOCK.pause);
    }
    granted(drive, await agent.ask('control', volume, VOLUME.dismount, '0'));
  }
}

/** The value of an answer. @throws FailureError what the system's error number means for the drive */
function granted({ path: drive }: Drive, { error, value }: DiskAnswer): string {
  if (error === 0) return value;
  const [code] = FAILURES.find(([, ...errors]) => errors.includes(error)) ?? [];
  if (code !== undefined) throw fail(code, { drive });
  throw fail('drive-open-failed', { drive, cause: `${String(error)} ${value}` });
}

/** An open disk keeps its number, so that what Windows says of the number is said of this disk. */
async function provenBlockSize(agent: DiskAgent, drive: Drive, disk: string): Promise<number> {
  const changed = (what: string): Error => fail('drive-changed', { drive: drive.path, what });
  const geometry = await agent.ask('control', disk, DISK.geometry, String(GEOMETRY_ROOM));
  const bytes = Buffer.alloc(GEOMETRY_ROOM);
  bytes.write(granted(drive, geometry), 'hex');
  if (bytes.readBigUInt64LE(24) !== BigInt(drive.size)) throw changed('size');
  const serial = granted(drive, await agent.ask('serial', drive.name.replace('PhysicalDrive', '')));
  if ((plainText(serial.trim()) || null) !== drive.serial) throw changed('serial');
  return bytes.readUInt32LE(20);
}
