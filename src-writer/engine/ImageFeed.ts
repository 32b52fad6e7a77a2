import { fail, failure } from '../../src-core/Failure.ts';
import type { FailureError } from '../../src-core/Failure.ts';
import type { RangeMapper } from '../../src-image/blockmap/RangeMapper.ts';
import type { Card, CardSlot } from './Card.ts';
import { PAUSE_MS } from './DeviceChannel.ts';
import type { SlotRange } from './ImageDigest.ts';
import type { FilledSlot, ImageReader } from './ImageReader.ts';
import type { JobContext } from './JobContext.ts';
import { SHARED_SLOTS } from './JobContext.ts';
import type { Ring } from './Ring.ts';
import { SLOT_BYTES } from './Ring.ts';
import { crcOfBlank, isBlank } from './SlotCrc.ts';
import { SlotLease } from './SlotLease.ts';

/** An image file that gives nothing for this long, while nobody else is busy, is lost. */
export const SILENCE_SECONDS = 30;

/** Slots of zeros that the cards may be ahead of the digest: bounds how much it has to catch up. */
const MOST_LAG = 4096;

export interface FeedOptions {
  /** Shown in failures. */
  readonly path: string;
  /** Bytes of the image file, compressed as it may be. */
  readonly fileSize: number;
  /** null: every byte goes to the cards. */
  readonly mapper: RangeMapper | null;
  /** Pieces are padded with zeros to multiples of this. */
  readonly blockSize: number;
  /** The first MiB is kept for later instead of being handed on. */
  readonly keepsHead: boolean;
}

export interface FedImage {
  /** Decompressed bytes. */
  readonly size: number;
  /**
   * In lower-case hex, once the digest is through with the zeros that the cards did not wait for.
   * Rejects with block-map-range-differs.
   */
  readonly sha256: Promise<string>;
}

/** Hands an image, slot by slot, to the digest and to every card that is still well. */
export class ImageFeed {
  readonly #options: FeedOptions;
  readonly #reader: ImageReader;
  readonly #cards: readonly Card[];
  readonly #job: JobContext;
  readonly #broken = Promise.withResolvers<never>();
  #digesting = 0;
  #lastNews: number;
  #lastTick: number;
  /** How much of the image file was consumed, 0 to 1. */
  fraction = 0;

  constructor(options: FeedOptions, reader: ImageReader, cards: readonly Card[], job: JobContext) {
    this.#options = options;
    this.#reader = reader;
    this.#cards = cards;
    this.#job = job;
    this.#lastNews = job.clock.now();
    this.#lastTick = this.#lastNews;
    this.#broken.promise.catch(() => undefined);
  }

  /**
   * Resolves when every card has been handed the whole image.
   * @throws FailureError image-*, block-map-*, used-blocks-unavailable
   */
  async run(): Promise<FedImage> {
    const handed = new Set<Promise<void>>();
    let size = 0;
    for (;;) {
      const filled = await Promise.race([this.#reader.next(), this.#broken.promise]);
      if (filled === null) break;
      this.#lastNews = this.#job.clock.now();
      size = filled.offset + filled.length;
      this.fraction = filled.inputConsumed / this.#options.fileSize;
      this.#checkFits(size);
      const handing = this.#hand(filled);
      handed.add(handing);
      handing.then(() => handed.delete(handing), this.#broken.reject);
    }
    this.#options.mapper?.finish();
    await Promise.race([Promise.all(handed), this.#broken.promise]);
    const sha256 = Promise.race([this.#job.digester.finish(), this.#broken.promise]);
    sha256.catch(() => undefined);
    return { size, sha256 };
  }

  /** To be called about twice a second: notices a file that gives nothing any more. */
  tick(): void {
    const now = this.#job.clock.now();
    // A dead card that has ended may keep what it was asked for ever: nobody waits for it any more.
    const atWork = this.#cards.some((card) => !card.ended && !card.channel.isIdle);
    const wasStopped = now - this.#lastTick > PAUSE_MS;
    if (this.#digesting > 0 || atWork || wasStopped) this.#lastNews = now;
    this.#lastTick = now;
    if (now - this.#lastNews < SILENCE_SECONDS * 1000) return;
    this.#broken.reject(imageSilent(this.#options.path));
  }

  /** One slot to the digest and to every card; it goes back to the reader when all are done with it. */
  async #hand(filled: FilledSlot): Promise<void> {
    const { ring, manifest } = this.#job;
    const bytes = ring.view(filled.slot);
    if (filled.offset === 0) keepHead(bytes, filled.length, ring);
    const ranges = this.#ranges(filled, bytes);
    const pieces = ranges.map(([start, end]) => manifest.add(filled.offset + start, end - start));
    const cards = this.#cards.filter((card) => !card.ended);
    const lease = new SlotLease(cards.length + 1, () => {
      this.#reader.release(filled.slot);
    });
    const cardSlot: CardSlot = { filled, pieces, lease };
    // Zeros can be hashed from anywhere: the digest, the slowest at them, need not keep this slot.
    const lags = this.#digesting < MOST_LAG && isBlank(bytes.subarray(0, filled.length));
    const digesting = lags
      ? this.#digest(SHARED_SLOTS.zeros, filled.length, [])
      : this.#digest(filled.slot, filled.length, ranges);
    for (const card of cards) card.accept(cardSlot);
    if (lags) digesting.catch(this.#broken.reject);
    const crcs = lags ? pieces.map(({ length }) => crcOfBlank(length)) : await digesting;
    for (const [index, piece] of pieces.entries()) piece.crc = crcs[index] ?? null;
    lease.done();
  }

  async #digest(slot: number, length: number, ranges: readonly SlotRange[]): Promise<number[]> {
    this.#digesting += 1;
    const crcs = await this.#job.digester.update(slot, length, ranges);
    this.#digesting -= 1;
    return crcs;
  }

  /** What of a slot goes to the cards, padded to whole blocks. */
  #ranges(filled: FilledSlot, bytes: Uint8Array): SlotRange[] {
    const { mapper, blockSize, keepsHead } = this.#options;
    const { offset, length } = filled;
    const used = mapper?.map(offset, bytes.subarray(0, length)) ?? [
      { start: offset, end: offset + length },
    ];
    if (offset === 0 && keepsHead) return [];
    return used.map(({ start, end }) => [
      start - offset,
      Math.ceil((end - offset) / blockSize) * blockSize,
    ]);
  }

  /** An image of unknown size may turn out too large for one card and still fit the others. */
  #checkFits(size: number): void {
    const { blockSize } = this.#options;
    const imageBytes = Math.ceil(size / blockSize) * blockSize;
    for (const card of this.#cards) {
      const driveBytes = card.channel.device.size;
      if (imageBytes > driveBytes)
        card.fail(failure('image-too-large', { imageBytes, driveBytes }));
    }
  }
}

/** That the image file no longer answers. */
export function imageSilent(path: string): FailureError {
  const cause = `nothing came for ${String(SILENCE_SECONDS)} s`;
  return fail('image-unreadable', { path, cause });
}

function keepHead(bytes: Uint8Array, length: number, ring: Ring): void {
  const head = ring.view(SHARED_SLOTS.head);
  head.set(bytes.subarray(0, length));
  head.fill(0, length, SLOT_BYTES);
}
