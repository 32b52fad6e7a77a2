import { randomUUID } from 'node:crypto';
import type { DriveOrder } from '../src-contract/WriterWire.ts';
import { identityOf } from '../src-core/Drive.ts';
import { failureOf } from '../src-core/Failure.ts';
import type { Failure } from '../src-core/Failure.ts';
import { advance, isFinal, planJob } from '../src-core/FlashJob.ts';
import type { FlashJob, JobEvent } from '../src-core/FlashJob.ts';
import type { WarningReason } from '../src-core/DriveVerdict.ts';
import type { DriveChoice, PlannedCard } from '../src-core/FlashPlan.ts';
import type { PreparedFlash } from './FlashPreparation.ts';
import type { Writer } from './Writer.ts';

/** How often speeds and times left are brought up to date while nothing happens, in milliseconds. */
const TICK_MS = 500;

/** Told after every step of a job: what it is now, and what moved it there. */
export type JobListener = (job: FlashJob, event: JobEvent) => void;

/** One job from its plan to its end: gives the writer its order, and keeps the job's state. */
export class FlashRun {
  readonly #writer: Writer;
  readonly #prepared: PreparedFlash;
  readonly #listener: JobListener;
  #job: FlashJob;
  #wake: (() => void) | null = null;

  constructor(writer: Writer, prepared: PreparedFlash, listener: JobListener) {
    this.#writer = writer;
    this.#prepared = prepared;
    this.#listener = listener;
    const { request, cards } = prepared;
    this.#job = planJob({
      jobId: randomUUID(),
      action: request.action,
      verify: request.action === 'verify' || request.verify,
      eject: request.action === 'flash' && request.eject && practiceCardOf(cards) === null,
      cardIds: cards.map(({ cardId }) => cardId),
    });
  }

  get job(): FlashJob {
    return this.#job;
  }

  /** Runs the job to its end, whatever happens: failures are in the job, nothing is thrown. */
  async run(): Promise<FlashJob> {
    const ticking = setInterval(() => {
      this.#step({ type: 'tick' });
    }, TICK_MS);
    const abandoned = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    try {
      await Promise.race([this.#write(), abandoned]);
    } catch (thrown) {
      this.#ended(failureOf(thrown));
    } finally {
      clearInterval(ticking);
    }
    this.#ended(null);
    return this.#job;
  }

  /** Asks the writer to stop one card, or all with null; the job goes on until it has. */
  cancel(cardId: string | null): void {
    if (this.#job.ended) return;
    this.#step({ type: 'cancel', cardId });
    this.#writer.cancel(this.#job.jobId, cardId);
  }

  /** Waits for the writer no longer: every card without a verdict counts as cancelled. */
  abandon(): void {
    this.#ended({ code: 'cancelled', facts: {} });
    this.#wake?.();
  }

  async #write(): Promise<void> {
    const report = (event: JobEvent): void => {
      this.#step(event);
    };
    const practice = practiceCardOf(this.#prepared.cards);
    if (practice === null) {
      this.#step({ type: 'awaiting-permission' });
      return this.#writer.runOnDrives(this.#driveOrder(), report);
    }
    const { jobId, action, verify } = this.#job;
    const { path, size } = practice.choice;
    const { image } = this.#prepared;
    const { cardId } = practice;
    const order = { jobId, action, image: image.order, path, size, cardId, verify };
    return this.#writer.runOnPracticeCard(order, report);
  }

  #driveOrder(): DriveOrder {
    const { request, image, cards } = this.#prepared;
    const targets = cards.flatMap(({ cardId, choice }) =>
      choice.kind === 'drive'
        ? [
            {
              cardId,
              path: choice.drive.path,
              identity: identityOf(choice.drive),
              accepted: accepted(choice),
            },
          ]
        : [],
    );
    const { jobId, action, verify, eject } = this.#job;
    return {
      ...{ jobId, action, verify, eject, targets },
      image: image.order,
      allowVirtual: request.allowVirtual,
      imageSize: image.leastSize,
    };
  }

  #step(event: JobEvent): void {
    const next = advance(this.#job, event, performance.now());
    if (next === this.#job) return;
    this.#job = next;
    this.#listener(next, event);
  }

  /** A writer that could not be had at all has touched nothing, which makes its failure a refusal. */
  #ended(cause: Failure | null): void {
    const begun = this.#job.cards.some(({ state, phase }) => phase !== null || isFinal(state));
    if (cause !== null && !begun && cause.code !== 'cancelled' && cause.code !== 'writer-ended') {
      this.#step({ type: 'refused', failures: [cause] });
    }
    this.#step({ type: 'writer-ended', failure: cause });
  }
}

/** A plan has no warned card that nobody accepted, be it by the option or by typing its name. */
function accepted({ verdict }: DriveChoice): WarningReason[] {
  return [...new Set(verdict.warnings.map(({ code }) => code))];
}

interface PlannedPracticeCard extends PlannedCard {
  readonly choice: Extract<PlannedCard['choice'], { readonly kind: 'practice' }>;
}

function practiceCardOf(cards: readonly PlannedCard[]): PlannedPracticeCard | null {
  return cards.find((card): card is PlannedPracticeCard => card.choice.kind === 'practice') ?? null;
}
