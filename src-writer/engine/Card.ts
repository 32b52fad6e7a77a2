import type { Failure } from '../../src-core/Failure.ts';
import { failure, failureOf } from '../../src-core/Failure.ts';
import type { CardCondition, CardPhase } from '../../src-core/FlashEvent.ts';
import type { DeviceChannel } from './DeviceChannel.ts';
import type { FilledSlot } from './ImageReader.ts';
import type { JobContext } from './JobContext.ts';
import type { SlotLease } from './SlotLease.ts';
import type { WrittenPiece } from './Manifest.ts';

/** A slot of the image on its way to the cards, with the pieces of it that they take. */
export interface CardSlot {
  readonly filled: FilledSlot;
  readonly pieces: readonly WrittenPiece[];
  readonly lease: SlotLease;
}

/** The failure of a card that was cancelled. */
export const CANCELLED = failure('cancelled', {});

/** Longest wait of a cancellation, in milliseconds. */
const CANCEL_MS = 1000;

interface QueuedPiece {
  readonly cardSlot: CardSlot;
  readonly piece: WrittenPiece;
}

/**
 * One card of a job: takes the image slot by slot, a few operations at a time, and ends on its own,
 * whatever the others do. What is done with a piece is said by {@link FlashedCard} and
 * {@link ComparedCard}.
 */
export abstract class Card {
  readonly id: string;
  readonly channel: DeviceChannel;
  /** Set by the job: called once, when the card has ended. */
  onEnd: () => void = () => undefined;
  protected readonly job: JobContext;
  protected condition: CardCondition = 'untouched';
  protected bytesWritten = 0;
  protected bytesVerified = 0;
  protected oldDataRemains = false;
  /** What is wrong with the card beyond doubt; nothing that happens afterwards changes that. */
  protected verdict: Failure | null = null;
  #phase: CardPhase = 'preparing';
  #phaseBytes = 0;
  #phaseTotal: number | null = null;
  #fraction = 0;
  #reported = -1;
  #ended = false;
  /** All was done that was asked for: flushed, and read back where that was wanted. */
  #isComplete = false;
  readonly #queue: QueuedPiece[] = [];
  readonly #outstanding = new Map<CardSlot, number>();
  #underWay = 0;
  #drained: (() => void) | null = null;

  constructor(id: string, channel: DeviceChannel, job: JobContext) {
    this.id = id;
    this.channel = channel;
    this.job = job;
    // However the channel breaks, the card ends with it.
    channel.broken.catch((thrown: unknown) => {
      this.#end(failureOf(thrown));
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What is done before the image's first byte. @throws FailureError */
  abstract prepare(): Promise<void>;

  /**
   * What is done with one piece of the image; the slot's bytes stay valid meanwhile.
   * @param imageBytes how many of the bytes belong to the image; the rest are padding
   */
  protected abstract take(
    bytes: Uint8Array,
    piece: WrittenPiece,
    imageBytes: number,
  ): Promise<void>;

  /**
   * What is done once every piece was taken.
   * @param approval settles when the whole image is hashed: nothing may call the card good before
   * @throws FailureError
   */
  protected abstract complete(approval: Promise<void>): Promise<void>;

  /** Queues a slot of the image; its lease ends when the card has taken all of it. */
  accept(cardSlot: CardSlot): void {
    if (this.#ended || cardSlot.pieces.length === 0) {
      cardSlot.lease.done();
      return;
    }
    this.#outstanding.set(cardSlot, cardSlot.pieces.length);
    for (const piece of cardSlot.pieces) this.#queue.push({ cardSlot, piece });
    this.#pump();
  }

  /** Ends the card soon: after a step that must not be left half done, but within {@link CANCEL_MS}. */
  cancel(): void {
    const stopWaiting = this.job.clock.every(CANCEL_MS, () => {
      end();
    });
    const end = (): void => {
      stopWaiting();
      this.fail(CANCELLED);
    };
    const indivisible = this.indivisible();
    if (indivisible === null) end();
    else indivisible.then(end, end);
  }

  /** The step under way that a cancellation waits for. */
  protected indivisible(): Promise<void> | null {
    return null;
  }

  /** Ends the card with a failure, unless it has ended already. */
  fail(cause: Failure): void {
    this.channel.break(cause);
    this.#end(this.channel.failure ?? cause);
  }

  /** Runs a step of the card; any failure in it ends the card. */
  async step(run: () => Promise<void>): Promise<void> {
    if (this.#ended) return;
    try {
      await Promise.race([run(), this.channel.broken]);
    } catch (thrown) {
      this.fail(failureOf(thrown));
    }
  }

  /**
   * Waits for the last piece, then completes the card and says how it ended.
   * @param approval resolves when the image was found good, rejects with why it was not
   */
  async finish(approval: Promise<void>): Promise<void> {
    await this.step(async () => {
      await this.#allTaken();
      await this.complete(approval);
      this.#isComplete = true;
      // Whoever ejects the card when it hears of it must find it closed. What was flushed is not
      // waiting for that, so that a device which does not close is no reason against the card.
      await this.channel.retire();
      this.#end(null);
    });
  }

  /** Says how far the phase is, if that changed. @param position how far the image is, 0 to 1 */
  reportProgress(): void {
    if (this.#ended || this.#phaseBytes === this.#reported) return;
    this.#reported = this.#phaseBytes;
    const total = this.#phaseTotal;
    const fraction = total === null || total === 0 ? this.#fraction : this.#phaseBytes / total;
    this.job.emit({
      type: 'progress',
      cardId: this.id,
      phase: this.#phase,
      bytes: this.#phaseBytes,
      total,
      fraction: Math.min(1, fraction),
    });
  }

  /** What the card is now, in the light of how it ended. */
  protected finalCondition(): CardCondition {
    return this.condition;
  }

  protected enter(phase: CardPhase, total: number | null): void {
    if (this.#ended) return;
    this.#phase = phase;
    this.#phaseBytes = 0;
    this.#phaseTotal = total;
    this.#fraction = 0;
    this.#reported = -1;
    this.job.emit({ type: 'phase', cardId: this.id, phase });
  }

  /** @param bytes done in this phase @param fraction of the phase, where its total is unknown */
  protected advance(bytes: number, fraction = 0): void {
    this.#phaseBytes = Math.max(this.#phaseBytes, bytes);
    this.#fraction = Math.max(this.#fraction, fraction);
  }

  #pump(): void {
    while (this.#underWay < this.job.depth && !this.#ended) {
      const queued = this.#queue.shift();
      if (queued === undefined) break;
      this.#underWay += 1;
      void this.#takeOne(queued);
    }
    if (this.#queue.length === 0 && this.#underWay === 0) this.#drained?.();
  }

  async #takeOne({ cardSlot, piece }: QueuedPiece): Promise<void> {
    const { filled } = cardSlot;
    const start = piece.offset - filled.offset;
    const bytes = this.job.ring.view(filled.slot).subarray(start, start + piece.length);
    try {
      await this.take(bytes, piece, Math.min(piece.length, filled.length - start));
    } catch (thrown) {
      this.fail(failureOf(thrown));
    }
    this.#underWay -= 1;
    this.#release(cardSlot);
    this.#pump();
  }

  #release(cardSlot: CardSlot): void {
    const left = (this.#outstanding.get(cardSlot) ?? 0) - 1;
    this.#outstanding.set(cardSlot, left);
    if (left > 0) return;
    this.#outstanding.delete(cardSlot);
    cardSlot.lease.done();
  }

  async #allTaken(): Promise<void> {
    if (this.#queue.length === 0 && this.#underWay === 0) return;
    await new Promise<void>((resolve) => (this.#drained = resolve));
  }

  #end(cause: Failure | null): void {
    if (this.#ended) return;
    this.#ended = true;
    // A cancelled or failed card hands its slots back; operations under way keep theirs until they settle.
    for (const { cardSlot } of this.#queue.splice(0)) this.#release(cardSlot);
    this.job.emit({
      type: 'card',
      cardId: this.id,
      condition: this.finalCondition(),
      failure: this.#isComplete ? null : (this.verdict ?? cause),
      bytesWritten: this.bytesWritten,
      bytesVerified: this.bytesVerified,
      oldDataRemains: this.oldDataRemains,
    });
    void this.channel.retire();
    this.onEnd();
  }
}
