import type { Failure } from '../../src-core/Failure.ts';
import { failure, FailureError } from '../../src-core/Failure.ts';
import type { Clock } from './Clock.ts';
import type { Device } from './Device.ts';
import { systemErrorCode } from './SystemErrorCode.ts';

/** A card that does not answer for this long has failed, in seconds. */
export const STALL_SECONDS = 30;

/** A failure this long after waking up, in milliseconds, is put down to the sleep. */
const SLEEP_BLAME_MS = 60_000;

/** A tick that comes so late, in milliseconds, tells of a process that was stopped, not of what it waits for. */
export const PAUSE_MS = 5_000;

/** Calendar and monotonic clock must differ by this much, in milliseconds, to count as sleep. */
const SLEEP_GAP_MS = 10_000;

/** Windows' ransomware protection answers with EACCES or EPERM as well. */
const REFUSED_WRITES = process.platform === 'win32' ? ['EPERM', 'EACCES'] : ['EPERM', 'EROFS'];

type Operation = 'read' | 'write' | 'flush';

/**
 * One card's device with everything that can go wrong turned into a {@link Failure}: errors of the
 * system, a medium or reader that went away, operations that never end, a computer that slept.
 * After the first failure every operation rejects with it.
 */
export class DeviceChannel {
  readonly device: Device;
  readonly name: string;
  readonly #clock: Clock;
  readonly #started = new Map<symbol, number>();
  readonly #broken = Promise.withResolvers<never>();
  #failure: Failure | null = null;
  #lastNow: number;
  #lastWall: number;
  #woke: { at: number; seconds: number } | null = null;
  #probing = false;
  #isRetired = false;
  #isClosed = false;

  constructor(device: Device, name: string, clock: Clock) {
    this.device = device;
    this.name = name;
    this.#clock = clock;
    this.#lastNow = clock.now();
    this.#lastWall = clock.wall();
    this.#broken.promise.catch(() => undefined);
  }

  get failure(): Failure | null {
    return this.#failure;
  }

  /** Rejects when the channel breaks; never resolves. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#run('write', position, () => this.device.write(bytes, position));
  }

  read(bytes: Uint8Array, position: number): Promise<void> {
    return this.#run('read', position, () => this.device.read(bytes, position));
  }

  flush(): Promise<void> {
    return this.#run('flush', 0, () => this.device.flush());
  }

  /** Ends everything on this channel with a failure; the first one stays. */
  break(cause: Failure): void {
    if (this.#failure !== null) return;
    this.#failure = cause;
    this.#broken.reject(new FailureError(cause));
  }

  /** Nothing was asked of the device that it has not answered. */
  get isIdle(): boolean {
    return this.#started.size === 0;
  }

  /** Closes the device once nothing is under way on it any more; a dead one may stay open for ever. */
  retire(): Promise<void> {
    this.#isRetired = true;
    return this.#closeIfIdle();
  }

  async #closeIfIdle(): Promise<void> {
    if (!this.#isRetired || !this.isIdle || this.#isClosed) return;
    this.#isClosed = true;
    // Closing can wait for a dead device, like any operation.
    const token = Symbol('close');
    this.#started.set(token, this.#clock.now());
    await this.device.close().catch(() => undefined);
    this.#started.delete(token);
  }

  /** To be called about twice a second: notices stalls, sleep and a device that went away. */
  tick(): void {
    if (this.#failure !== null) return;
    if (this.#clock.now() - this.#lastNow > PAUSE_MS) this.#forgivePause();
    this.#noticeSleep();
    const oldest = Math.min(...this.#started.values());
    if (this.#clock.now() - oldest >= STALL_SECONDS * 1000) {
      const { name } = this;
      this.break(
        this.#afterSleep() ?? failure('card-stalled', { drive: name, seconds: STALL_SECONDS }),
      );
      return;
    }
    void this.#probe();
  }

  async #run(operation: Operation, offset: number, start: () => Promise<void>): Promise<void> {
    if (this.#failure !== null) throw new FailureError(this.#failure);
    const token = Symbol(operation);
    this.#started.set(token, this.#clock.now());
    try {
      await start();
    } catch (thrown) {
      const cause = await this.#explain(operation, offset, thrown);
      this.break(cause);
    } finally {
      this.#started.delete(token);
      void this.#closeIfIdle();
    }
    // The channel may have broken while the operation was under way.
    const { failure: broken } = this;
    if (broken !== null) throw new FailureError(broken);
  }

  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    try {
      const lost = await this.#lost();
      if (lost !== null) this.break(this.#afterSleep() ?? lost);
    } finally {
      this.#probing = false;
    }
  }

  async #lost(): Promise<Failure | null> {
    const presence = await this.device.presence();
    if (presence === 'gone') return failure('reader-lost', { drive: this.name });
    if (presence === 'no-medium') return failure('card-lost', { drive: this.name });
    return null;
  }

  async #explain(operation: Operation, offset: number, thrown: unknown): Promise<Failure> {
    if (thrown instanceof FailureError) return thrown.failure;
    this.#noticeSleep();
    const cause = systemErrorCode(thrown);
    const drive = this.name;
    // A medium that left has no size any more: the kernel then answers ENOSPC as well.
    const lost = await this.#lost();
    if (lost !== null) return this.#afterSleep() ?? lost;
    if (cause === 'ENOSPC') return failure('disk-full', { path: drive });
    // A write-protected loop device opens for writing and refuses the first write with EPERM.
    if (operation === 'write' && REFUSED_WRITES.includes(cause)) {
      return failure(process.platform === 'win32' ? 'blocked-by-protection' : 'write-protected', {
        drive,
      });
    }
    const slept = this.#afterSleep();
    if (slept !== null) return slept;
    if (cause === 'ENODEV' || cause === 'ENXIO') return failure('reader-lost', { drive });
    if (cause === 'ENOMEDIUM') return failure('card-lost', { drive });
    return failure(operation === 'read' ? 'read-failed' : 'write-failed', { drive, offset, cause });
  }

  /** Operations that ended while this process was stopped have not been heard of yet. */
  #forgivePause(): void {
    for (const token of this.#started.keys()) this.#started.set(token, this.#clock.now());
  }

  #noticeSleep(): void {
    const now = this.#clock.now();
    const wall = this.#clock.wall();
    const gap = wall - this.#lastWall - (now - this.#lastNow);
    if (gap > SLEEP_GAP_MS) this.#woke = { at: now, seconds: Math.round(gap / 1000) };
    this.#lastNow = now;
    this.#lastWall = wall;
  }

  #afterSleep(): Failure | null {
    const woke = this.#woke;
    if (woke === null || this.#clock.now() - woke.at > SLEEP_BLAME_MS) return null;
    return failure('computer-slept', { drive: this.name, seconds: woke.seconds });
  }
}
