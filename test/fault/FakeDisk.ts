import type { Device, Presence } from '../../src-writer/engine/Device.ts';
import type { FakeClock } from './FakeClock.ts';
import { FaultyBytes } from './FaultyBytes.ts';
import type { DiskFault } from './FaultyBytes.ts';

/** A disk in memory with one fault, in the time of a fake clock. */
export class FakeDisk implements Device {
  readonly size: number;
  readonly logicalBlockSize: number;
  readonly content: FaultyBytes;
  readonly #latency: number;
  readonly #clock: FakeClock;
  /** When the fault struck, in the clock's time. */
  struckAt: number | null = null;

  constructor(size: number, logicalBlockSize: number, fault: DiskFault, clock: FakeClock) {
    this.size = size;
    this.logicalBlockSize = logicalBlockSize;
    this.content = new FaultyBytes(size, fault);
    this.#latency = fault.kind === 'slow' ? fault.ms : 1;
    this.#clock = clock;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#checkAligned(bytes, position);
    if (await this.#operate()) this.content.write(bytes, position);
  }

  async read(bytes: Uint8Array, position: number): Promise<void> {
    this.#checkAligned(bytes, position);
    await this.#operate();
    this.content.read(bytes, position);
    this.#noteStroke();
  }

  async flush(): Promise<void> {
    await this.#operate();
  }

  presence(): Promise<Presence> {
    return Promise.resolve(this.content.presence);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Takes one operation's time and fault; false when a write is to be lost. */
  async #operate(): Promise<boolean> {
    try {
      const { stroke, lost } = this.content.begin();
      this.#noteStroke();
      if (stroke === 'stalled') await new Promise(() => undefined);
      return !lost;
    } catch (thrown) {
      this.#noteStroke();
      throw thrown;
    } finally {
      await this.#clock.after(this.#latency);
    }
  }

  #noteStroke(): void {
    if (this.content.hasStruck) this.struckAt ??= this.#clock.now();
  }

  /** A real device refuses what direct I/O cannot do, so the fake one does too. */
  #checkAligned(bytes: Uint8Array, position: number): void {
    const misaligned = [bytes.byteOffset, bytes.length, position].some(
      (value) => value % this.logicalBlockSize !== 0,
    );
    if (misaligned || position + bytes.length > this.size) {
      throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
    }
  }
}
