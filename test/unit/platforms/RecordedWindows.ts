import type { WindowsSystem } from '../../../src-writer/supervisor/windows/WindowsDevices.ts';
import type { DiskAnswer } from '../../../src-writer/supervisor/windows/DiskAgent.ts';

/** Control codes as public logs and headers name them: ntddstor.h, winioctl.h. */
const CONTROLS: Readonly<Record<string, string>> = {
  '90018': 'FSCTL_LOCK_VOLUME',
  '90020': 'FSCTL_DISMOUNT_VOLUME',
  '700a0': 'IOCTL_DISK_GET_DRIVE_GEOMETRY_EX',
  '70024': 'IOCTL_DISK_IS_WRITABLE',
  '70140': 'IOCTL_DISK_UPDATE_PROPERTIES',
  '2d4808': 'IOCTL_STORAGE_EJECT_MEDIA',
};

/** Errors of winerror.h, with the words of FormatMessage in English. */
export const windowsSays = {
  done: { error: 0, value: '' },
  incorrectFunction: { error: 1, value: 'Incorrect function' },
  notFound: { error: 2, value: 'The system cannot find the file specified' },
  /** FSCTL_LOCK_VOLUME on a volume in use: https://github.com/maharmstone/ntfs2btrfs/issues/73 */
  denied: { error: 5, value: 'Access is denied' },
  writeProtected: { error: 19, value: 'The media is write protected' },
  notReady: { error: 21, value: 'The device is not ready' },
  sharing: {
    error: 32,
    value: 'The process cannot access the file because it is being used by another process',
  },
  notSupported: { error: 50, value: 'The request is not supported' },
  /** https://github.com/maxpat78/FATtools/pull/11 */
  device: {
    error: 1117,
    value: 'The request could not be performed because of an I/O device error',
  },
  notConnected: { error: 1167, value: 'The device is not connected' },
  agentGone: { error: -1, value: 'Cannot add type. The type name could not be compiled' },
} as const satisfies Record<string, DiskAnswer>;

/** A DISK_GEOMETRY_EX (winioctl.h) in hex: geometry, then the size in bytes. */
export function geometryHex(size: number, sectorSize: number): string {
  const bytes = Buffer.alloc(40);
  bytes.writeBigInt64LE(BigInt(Math.floor(size / (255 * 63 * sectorSize))), 0);
  bytes.writeUInt32LE(11, 8);
  bytes.writeUInt32LE(255, 12);
  bytes.writeUInt32LE(63, 16);
  bytes.writeUInt32LE(sectorSize, 20);
  bytes.writeBigInt64LE(BigInt(size), 24);
  return bytes.toString('hex').toUpperCase();
}

/** A Windows with one disk of two partitions, which writes down everything that is asked of it. */
export class RecordedWindows {
  readonly steps: string[] = [];
  /** Answers by what a step is called, each used up but the last. */
  readonly answers = new Map<string, readonly DiskAnswer[]>([
    ['geometry', [{ error: 0, value: geometryHex(31_914_983_424, 512) }]],
    ['serial', [{ error: 0, value: ' 000000001538 ' }]],
  ]);
  readonly partitions = new Set([1, 2]);
  readonly #names: string[] = [];

  /** What is given to the adapter. */
  get system(): WindowsSystem {
    const ask = (...words: string[]): Promise<DiskAnswer> => Promise.resolve(this.#answer(words));
    const end = (): Promise<void> => {
      this.steps.push('end');
      return Promise.resolve();
    };
    const pause = (): Promise<void> => {
      this.steps.push('pause');
      return Promise.resolve();
    };
    return {
      Agent: class {
        ask = ask;
        end = end;
      },
      pause,
    };
  }

  #answer([verb = '', first = '', second = '']: readonly string[]): DiskAnswer {
    if (verb === 'serial') return this.#say('serial', `serial ${first}`);
    if (verb === 'open') return this.#open(first, second);
    const control = CONTROLS[second] ?? `unknown control ${second}`;
    const name = this.#names[Number(first)] ?? 'unknown handle';
    const isGeometry = control === 'IOCTL_DISK_GET_DRIVE_GEOMETRY_EX';
    return this.#say(isGeometry ? 'geometry' : `${control} ${name}`, `${control} ${name}`);
  }

  #open(path: string, access: string): DiskAnswer {
    const rights = access === 'c0000000' ? 'read and write' : 'read';
    const partition = /^\\\\\?\\GLOBALROOT\\Device\\Harddisk2\\Partition(\d+)$/.exec(path)?.[1];
    if (partition !== undefined && !this.partitions.has(Number(partition))) {
      return windowsSays.notFound;
    }
    const name = partition === undefined ? path : `Partition${partition}`;
    const said = this.#say(`open ${name}`, `open ${name} to ${rights}`);
    if (said.error !== 0) return said;
    this.#names.push(name);
    return { error: 0, value: String(this.#names.length - 1) };
  }

  #say(key: string, step: string): DiskAnswer {
    this.steps.push(step);
    const [first, ...rest] = this.answers.get(key) ?? [windowsSays.done];
    if (rest.length > 0) this.answers.set(key, rest);
    return first ?? windowsSays.done;
  }
}
