import { Card } from './Card.ts';
import type { DeviceChannel } from './DeviceChannel.ts';
import type { JobContext } from './JobContext.ts';
import type { WrittenPiece } from './Manifest.ts';
import { readBackDiffers } from './ReadBack.ts';
import { SlotPool } from './Ring.ts';

export interface CompareOptions {
  /** The card's own slots; as many reads are under way. */
  readonly slots: readonly number[];
  imageSize(): number | null;
  imageFraction(): number;
}

/** A card that is only compared with the image: nothing on it changes. */
export class ComparedCard extends Card {
  readonly #options: CompareOptions;
  readonly #pool: SlotPool;
  #firstDifference: number | null = null;
  #differing = 0;

  constructor(id: string, channel: DeviceChannel, job: JobContext, options: CompareOptions) {
    super(id, channel, job);
    this.#options = options;
    this.#pool = new SlotPool(options.slots);
  }

  prepare(): Promise<void> {
    this.enter('verifying', this.#options.imageSize());
    return Promise.resolve();
  }

  protected async take(bytes: Uint8Array, piece: WrittenPiece, imageBytes: number): Promise<void> {
    const slot = await this.#pool.take();
    const seen = this.job.ring.view(slot, piece.length);
    await this.channel.read(seen, piece.offset);
    if (Buffer.compare(seen.subarray(0, imageBytes), bytes.subarray(0, imageBytes)) !== 0) {
      this.#firstDifference = Math.min(this.#firstDifference ?? Infinity, piece.offset);
      this.#differing += piece.length;
    }
    this.#pool.give(slot);
    this.bytesVerified += piece.length;
    this.advance(piece.offset + piece.length, this.#options.imageFraction());
  }

  protected async complete(approval: Promise<void>): Promise<void> {
    await approval;
    if (this.#firstDifference === null) {
      this.condition = 'verified';
      return;
    }
    this.condition = 'different';
    const { name } = this.channel;
    throw readBackDiffers(name, this.#firstDifference, this.#differing, this.bytesVerified);
  }
}
