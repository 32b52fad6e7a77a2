import { fail, failureOf } from '../../src-core/Failure.ts';
import type { CardCondition } from '../../src-core/FlashEvent.ts';
import { Card } from './Card.ts';
import type { DeviceChannel } from './DeviceChannel.ts';
import type { JobContext } from './JobContext.ts';
import { SHARED_SLOTS } from './JobContext.ts';
import type { WrittenPiece } from './Manifest.ts';
import { readBack, readBackDiffers } from './ReadBack.ts';
import { SLOT_BYTES } from './Ring.ts';
import { MARKER_BYTES } from './UnfinishedMarker.ts';
import { slotCrc } from './SlotCrc.ts';

/** Places looked at to tell whether discarded ranges read as zeros, and bytes of each. */
const SKIPPED_SAMPLES = 32;
const SAMPLE_BYTES = 4096;

export interface FlashOptions {
  readonly verify: boolean;
  /** Unwritten ranges were discarded before. */
  readonly discarded: boolean;
  /** The card's own slots for the read-back. */
  readonly slots: readonly number[];
  /** Decompressed bytes of the image; null until known. */
  imageSize(): number | null;
  /** How far the image is, 0 to 1, when its size is not known. */
  imageFraction(): number;
}

/** Bytes of a card, from its beginning, that are written last. */
export function headBytes(size: number): number {
  return Math.min(SLOT_BYTES, size);
}

/**
 * A card that is written: everything but its first MiB, read back past the cache, then the first MiB.
 * Until then it has no partition table and says that it is unfinished.
 */
export class FlashedCard extends Card {
  readonly #options: FlashOptions;
  readonly #head: number;
  readonly #tail: WrittenPiece;
  #poisoning: Promise<void> | null = null;

  constructor(id: string, channel: DeviceChannel, job: JobContext, options: FlashOptions) {
    super(id, channel, job);
    this.#options = options;
    const { size } = channel.device;
    this.#head = headBytes(size);
    const tail = Math.max(this.#head, size - SLOT_BYTES);
    this.#tail = { offset: tail, length: size - tail, crc: null };
  }

  /** Takes the old partition table, the GPT's copy at the end, and with them any chance to boot. */
  async prepare(): Promise<void> {
    this.enter('preparing', null);
    this.#poisoning = this.#poison();
    await this.#poisoning;
    this.#poisoning = null;
    this.enter('writing', this.#options.imageSize());
  }

  protected async take(bytes: Uint8Array, piece: WrittenPiece): Promise<void> {
    await this.#write(bytes, piece.offset);
    this.advance(piece.offset + piece.length, this.#options.imageFraction());
  }

  protected async complete(approval: Promise<void>): Promise<void> {
    await this.channel.flush();
    if (this.#options.verify) await this.#verify();
    else this.oldDataRemains = this.#skipped().length > 0 && !this.#options.discarded;
    // What is read back while the image is still being hashed becomes a card only if that ends well.
    await approval;
    await this.#writeHead();
  }

  async #verify(): Promise<void> {
    const pieces = [...this.job.manifest.pieces, ...this.#emptyTail()];
    this.enter(
      'verifying',
      pieces.reduce((sum, { length }) => sum + length, 0),
    );
    const { channel, job } = this;
    try {
      await readBack(channel, pieces, this.#options.slots, job, (bytes) => {
        this.bytesVerified = bytes;
        this.advance(bytes);
      });
      await this.#checkMarker();
    } catch (thrown) {
      await this.#condemn(thrown);
    }
    this.oldDataRemains = await this.#hasOldData();
  }

  /**
   * The marker must still be where it was written first. A card that claims more memory than it has
   * may have put a later part of the image over it; that part reads back well, and would be lost
   * when the first MiB takes its place.
   */
  async #checkMarker(): Promise<void> {
    const { channel, job } = this;
    const slot = this.#slot();
    const seen = job.ring.view(slot, this.#head);
    await channel.read(seen, 0);
    if (Buffer.compare(seen, job.ring.view(SHARED_SLOTS.marker, this.#head)) === 0) return;
    const drive = channel.name;
    const holdsOffset = job.manifest.elsewhere(0, this.#head, slotCrc(seen));
    if (holdsOffset !== null) throw fail('card-counterfeit', { drive, offset: 0, holdsOffset });
    throw readBackDiffers(drive, 0, this.#head, this.bytesVerified + this.#head);
  }

  /** The first MiB at last: all but the partition table and marker first, so that those change together. */
  async #writeHead(): Promise<void> {
    this.enter('finishing', null);
    const head = this.job.ring.view(SHARED_SLOTS.head, this.#head);
    const marked = Math.min(MARKER_BYTES, this.#head);
    if (this.#head > marked) await this.#write(head.subarray(marked), marked);
    await this.channel.flush();
    // From here on the card may be whole, even if the write is the last thing that happens.
    this.condition = 'unverified';
    await this.#write(head.subarray(0, marked), 0);
    await this.channel.flush();
    if (this.#options.verify) await this.#verifyHead(head);
  }

  async #verifyHead(head: Uint8Array): Promise<void> {
    const seen = this.job.ring.view(this.#slot(), this.#head);
    await this.channel.read(seen, 0);
    this.bytesVerified += this.#head;
    if (Buffer.compare(seen, head) === 0) {
      this.condition = 'verified';
      return;
    }
    await this.#condemn(readBackDiffers(this.channel.name, 0, this.#head, this.bytesVerified));
  }

  /** A card that reads back wrong must not boot by accident, whatever its first sectors hold now. */
  async #condemn(thrown: unknown): Promise<never> {
    if (this.channel.failure === null) {
      this.verdict = failureOf(thrown);
      await this.#poison();
    }
    throw thrown;
  }

  async #poison(): Promise<void> {
    // A write may reach the medium even if it fails: an untouched card is none from here on. One that
    // was written already is unfinished only when this has succeeded.
    if (this.condition === 'untouched') this.condition = 'unfinished';
    const { ring } = this.job;
    await this.#write(ring.view(SHARED_SLOTS.marker, this.#head), 0);
    if (this.#tail.length > 0) {
      await this.#write(ring.view(SHARED_SLOTS.zeros, this.#tail.length), this.#tail.offset);
    }
    await this.channel.flush();
    this.condition = 'unfinished';
  }

  /** A card is either untouched or has lost its partition table, never half of it. */
  protected override indivisible(): Promise<void> | null {
    return this.#poisoning;
  }

  /** A medium that refuses its first write because it is protected has not changed. */
  protected override finalCondition(): CardCondition {
    const { failure } = this.channel;
    const isProtected = failure?.code === 'write-protected' && this.bytesWritten === 0;
    return isProtected ? 'untouched' : this.condition;
  }

  /** The part of the zeroed last MiB that the image did not cover. */
  #emptyTail(): WrittenPiece[] {
    const { manifest, ring } = this.job;
    const last = manifest.pieces.at(-1);
    const imageEnd = Math.max(this.#head, last === undefined ? 0 : last.offset + last.length);
    const offset = Math.max(imageEnd, this.#tail.offset);
    const length = this.#tail.offset + this.#tail.length - offset;
    if (length <= 0) return [];
    return [{ offset, length, crc: slotCrc(ring.view(SHARED_SLOTS.zeros, length)) }];
  }

  /** Whether ranges that the block map left out hold something; a sample of them is looked at. */
  async #hasOldData(): Promise<boolean> {
    const skipped = this.#skipped();
    if (skipped.length === 0) return false;
    if (!this.#options.discarded) return true;
    const stride = Math.ceil(skipped.length / SKIPPED_SAMPLES);
    const bytes = this.job.ring.view(this.#slot(), SAMPLE_BYTES);
    for (let index = 0; index < skipped.length; index += stride) {
      await this.channel.read(bytes, skipped[index] ?? 0);
      if (bytes.some((byte) => byte !== 0)) return true;
    }
    return false;
  }

  /** Where the ranges begin that were not written, between the first MiB and the image's end. */
  #skipped(): number[] {
    const skipped: number[] = [];
    let end = this.#head;
    for (const piece of this.job.manifest.pieces) {
      if (piece.offset >= end + SAMPLE_BYTES) skipped.push(end);
      end = piece.offset + piece.length;
    }
    if ((this.#options.imageSize() ?? end) >= end + SAMPLE_BYTES) skipped.push(end);
    return skipped;
  }

  #slot(): number {
    const [slot] = this.#options.slots;
    if (slot === undefined) throw new RangeError('a card needs slots of its own');
    return slot;
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    await this.channel.write(bytes, position);
    this.bytesWritten += bytes.length;
  }
}
