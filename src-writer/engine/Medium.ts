import { existsSync, fstatSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Presence } from './Device.ts';

/**
 * How long the system may take to notice that a medium left, in milliseconds: the kernel asks every
 * 2 s (udev's 60-block.rules), and until then it answers EIO as for a bad block.
 */
const NOTICE_MS = 3000;

/** The medium of an open block device, as far as Linux tells of it; elsewhere it is always present. */
export class Medium {
  /** `/sys/dev/block/MAJOR:MINOR`, null where nobody tells. */
  readonly #sysfs: string | null;
  /** The SD host of a card whose device leaves with it, null for anything else. */
  readonly #sdHost: string | null;
  /** Whether it can leave while the reader stays. */
  readonly #isRemovable: boolean;

  constructor(fd: number) {
    this.#sysfs = sysfsFolder(fd);
    const { sdHost, isRemovable } = slotOf(this.#sysfs);
    this.#sdHost = sdHost;
    this.#isRemovable = isRemovable;
  }

  /** Asks the kernel's own memory, at once: every thread for files may hang on the medium. */
  presence(): Presence {
    if (this.#sysfs === null) return 'present';
    try {
      // The kernel sets the size to 0 when the medium leaves a reader that stays.
      const sectors = readFileSync(path.join(this.#sysfs, 'size'), 'ascii');
      return Number(sectors) === 0 ? 'no-medium' : 'present';
    } catch {
      return this.#sdHost !== null && existsSync(this.#sdHost) ? 'no-medium' : 'gone';
    }
  }

  /** Passes a failure of an operation on when the system has had the time to notice a loss. */
  async noticingLoss<Result>(operation: Promise<Result>): Promise<Result> {
    try {
      return await operation;
    } catch (cause) {
      const until = performance.now() + (this.#isRemovable ? NOTICE_MS : 0);
      while (performance.now() < until && this.presence() === 'present') await delay(100);
      throw cause;
    }
  }
}

function sysfsFolder(fd: number): string | null {
  // Windows cannot even stat a disk.
  if (process.platform !== 'linux') return null;
  const stat = fstatSync(fd);
  if (!stat.isBlockDevice()) return null;
  // The encoding of dev_t that glibc's gnu_dev_major and gnu_dev_minor undo; minors may be wide.
  const number = BigInt(stat.rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
  return `/sys/dev/block/${String(major)}:${String(minor & 0xffff_ffffn)}`;
}

/** What the medium is in: `/sys/devices/.../mmc_host/mmc0` stays when its card and device leave. */
function slotOf(sysfs: string | null): { sdHost: string | null; isRemovable: boolean } {
  try {
    if (sysfs === null) return { sdHost: null, isRemovable: false };
    const sdHost = /^.*\/mmc_host\/[^/]+/.exec(realpathSync(sysfs))?.[0] ?? null;
    const flag = readFileSync(path.join(sysfs, 'removable'), 'ascii').trim();
    return { sdHost, isRemovable: sdHost !== null || flag === '1' };
  } catch {
    // Gone already: the first look at its presence tells.
    return { sdHost: null, isRemovable: false };
  }
}
