import { crc32 } from 'node:zlib';
import type { Device, Presence } from '../../src-writer/engine/Device.ts';
import type { FakeClock } from './FakeClock.ts';
import { FaultyBytes } from './FaultyBytes.ts';
import type { DiskFault } from './FaultyBytes.ts';

/** What an operation was handed, and whether it still is as it was left. */
interface HandedBytes {
  isIntact(): boolean;
}

/** A disk in memory with one fault, in the time of a fake clock. */
export class FakeDisk implements Device {
  readonly size: number;
  readonly logicalBlockSize: number;
  readonly content: FaultyBytes;
  readonly #closes: boolean;
  readonly #latency: number;
  readonly #clock: FakeClock;
  readonly #handed = new Set<HandedBytes>();
  #disturbed = 0;
  /** When the fault struck, in the clock's time. */
  struckAt: number | null = null;
  /** How often it was opened, and asked to close. */
  opened = 0;
  closings = 0;
  isClosed = false;
  /** Whether it was closed when the verdict on it came; null before. */
  wasClosedWhenTold: boolean | null = null;
  /** Writes that were asked for. */
  writes = 0;
  /** Operations that have not ended. */
  underWay = 0;

  /** @param bytes what it holds before; kept and changed */
  constructor(bytes: Uint8Array, logicalBlockSize: number, fault: DiskFault, clock: FakeClock) {
    this.size = bytes.length;
    this.logicalBlockSize = logicalBlockSize;
    this.content = new FaultyBytes(bytes, fault);
    this.#closes = fault.kind !== 'never-closes';
    this.#latency = fault.kind === 'slow' ? fault.ms : 1;
    this.#clock = clock;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#checkAligned(bytes, position);
    this.writes += 1;
    const crc = crc32(bytes);
    await this.#holding({ isIntact: () => crc32(bytes) === crc }, async () => {
      if (await this.#operate()) this.content.write(bytes, position);
    });
  }

  async read(bytes: Uint8Array, position: number): Promise<void> {
    this.#checkAligned(bytes, position);
    await this.#holding(stamped(bytes), () => this.#operate());
    this.content.read(bytes, position);
    this.#noteStroke();
  }

  async flush(): Promise<void> {
    const count = this.content.unflushed;
    await this.#operate();
    this.content.flushed(count);
  }

  presence(): Promise<Presence> {
    return Promise.resolve(this.content.presence);
  }

  async close(): Promise<void> {
    this.closings += 1;
    if (!this.#closes && this.writes > 0) {
      this.struckAt ??= this.#clock.now();
      await new Promise(() => undefined);
    }
    await this.#clock.after(this.writes > 0 ? this.#latency : 1);
    this.isClosed = true;
  }

  /** To be called with the verdict on the card. */
  tell(): void {
    this.wasClosedWhenTold = this.isClosed;
  }

  /** Operations whose memory somebody else used meanwhile, those that never end included. */
  get disturbed(): number {
    return this.#disturbed + [...this.#handed].filter((handed) => !handed.isIntact()).length;
  }

  async #holding(handed: HandedBytes, operate: () => Promise<unknown>): Promise<void> {
    this.#handed.add(handed);
    try {
      await operate();
    } finally {
      this.#handed.delete(handed);
      if (!handed.isIntact()) this.#disturbed += 1;
    }
  }

  /** Takes one operation's time and fault; false when a write is to be lost. */
  async #operate(): Promise<boolean> {
    if (this.closings > 0) throw new Error('used after it was closed');
    this.underWay += 1;
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
      this.underWay -= 1;
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

let stamps = 0;

/** Marks both ends of what is to be read into: a second operation on the same memory is seen. */
function stamped(bytes: Uint8Array): HandedBytes {
  stamps += 1;
  const stamp = stamps;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const ends = [0, bytes.length - 4];
  for (const end of ends) view.setUint32(end, stamp);
  return { isIntact: () => ends.every((end) => view.getUint32(end) === stamp) };
}
