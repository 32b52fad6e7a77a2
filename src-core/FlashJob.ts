import { fail, failure } from './Failure.ts';
import type { Failure } from './Failure.ts';
import type {
  CardCondition,
  CardPhase,
  EjectOutcome,
  FlashEvent,
  ImageFormat,
} from './FlashEvent.ts';
import { cardProgress, millisecondsLeft } from './CardProgress.ts';
import { measure, speedOf, startThroughput } from './Throughput.ts';
import type { Throughput } from './Throughput.ts';

export type JobAction = 'flash' | 'verify';

/** `done`, `failed` and `cancelled` are final. */
export type JobState =
  | 'planned'
  | 'awaiting-permission'
  | 'writing'
  | 'verifying'
  | 'ejecting'
  | 'done'
  | 'failed'
  | 'cancelled';

/** `unknown`: the writer ended at a moment at which only looking at the card would tell. */
export type KnownCondition = CardCondition | 'unknown';

export interface CardJob {
  readonly cardId: string;
  readonly state: JobState;
  /** What the writer is doing with it, in more detail than the state; null before it began. */
  readonly phase: CardPhase | null;
  readonly condition: KnownCondition;
  readonly failure: Failure | null;
  /** Its cancellation was asked for; only the writer's verdict or end makes it `cancelled`. */
  readonly cancelling: boolean;
  /** Bytes done in this phase, and bytes of the whole phase where known. */
  readonly bytes: number;
  readonly total: number | null;
  /** 0 to 1, of this phase. */
  readonly fraction: number;
  /** 0 to 1, of everything that is to be done with the card; never decreases. */
  readonly progress: number;
  /** Bytes per second lately; null while unknown. */
  readonly speed: number | null;
  /** Milliseconds until the card is done; null while unknown. */
  readonly timeLeft: number | null;
  readonly throughput: Throughput;
  readonly bytesWritten: number;
  readonly bytesVerified: number;
  readonly oldDataRemains: boolean;
  /** How ejecting went; null when it was not asked for or has not happened. */
  readonly eject: { readonly outcome: EjectOutcome; readonly failure: Failure | null } | null;
  /** Milliseconds on the clock of the inputs; null before. */
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

export interface FlashJob {
  readonly jobId: string;
  readonly action: JobAction;
  /** What is to be done after writing. */
  readonly verify: boolean;
  readonly eject: boolean;
  readonly image: { readonly format: ImageFormat; readonly size: number | null } | null;
  /** SHA-256 of the decompressed image, once it is known. */
  readonly sha256: string | null;
  /** Why the whole job was refused before anything was touched; empty otherwise. */
  readonly refusals: readonly Failure[];
  readonly cards: readonly CardJob[];
  /** The writer has nothing more to say. */
  readonly ended: boolean;
}

/** What moves a job: the writer's events, and the program's own inputs. */
export type JobEvent =
  | FlashEvent
  | { readonly type: 'awaiting-permission' }
  /** Cancels one card, or all with null. */
  | { readonly type: 'cancel'; readonly cardId: string | null }
  /** The writer is gone; null when its stream ended without saying why. */
  | { readonly type: 'writer-ended'; readonly failure: Failure | null }
  /** Nothing happened; brings speeds and times up to `now`. */
  | { readonly type: 'tick' };

export function planJob(
  plan: Pick<FlashJob, 'jobId' | 'action' | 'verify' | 'eject'> & {
    readonly cardIds: readonly string[];
  },
): FlashJob {
  const { jobId, action, verify, eject } = plan;
  const cards = plan.cardIds.map(plannedCard);
  return {
    ...{ jobId, action, verify, eject, cards },
    ...{ image: null, sha256: null, refusals: [], ended: false },
  };
}

function plannedCard(cardId: string): CardJob {
  return {
    ...{ cardId, state: 'planned', phase: null, condition: 'untouched', failure: null },
    ...{ cancelling: false, bytes: 0, total: null, fraction: 0, progress: 0 },
    ...{ speed: null, timeLeft: null, throughput: startThroughput(0) },
    ...{ bytesWritten: 0, bytesVerified: 0, oldDataRemains: false, eject: null },
    ...{ startedAt: null, endedAt: null },
  };
}

/**
 * The next state of a job. Late news (of a card whose state is final, of a phase that is over, after
 * the end) changes nothing: a cancellation races with the writer. An event for a card that is not in
 * the job is no race but a broken writer, and throws.
 * @param now milliseconds of a clock that never goes back, the same for every call
 * @throws FailureError request-invalid
 */
export function advance(job: FlashJob, event: JobEvent, now: number): FlashJob {
  if (job.ended) return job;
  switch (event.type) {
    case 'image':
      return { ...job, image: job.image ?? { format: event.format, size: event.size } };
    case 'hashed':
      return { ...job, sha256: job.sha256 ?? event.sha256 };
    case 'phase':
    case 'progress':
    case 'card':
    case 'ejected':
      return ofCard(job, event.cardId, (card) => advanceCard(job, card, event, now));
    case 'awaiting-permission':
      return ofAll(job, (card) =>
        card.state === 'planned' ? { ...card, state: 'awaiting-permission' } : card,
      );
    case 'cancel': {
      const cancelled = (card: CardJob): CardJob => ({ ...card, cancelling: true });
      return event.cardId === null ? ofAll(job, cancelled) : ofCard(job, event.cardId, cancelled);
    }
    case 'tick':
      return ofAll(job, (card) => timed(job, card, now));
    case 'refused':
      return refused(job, event.failures, now);
    case 'end':
      return ended(job, null, now);
    case 'writer-ended':
      return ended(job, event.failure, now);
  }
}

export function isFinal(state: JobState): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

type CardEvent = Extract<FlashEvent, { readonly cardId: string }>;

function ofAll(job: FlashJob, change: (card: CardJob) => CardJob): FlashJob {
  return { ...job, cards: job.cards.map((card) => (isFinal(card.state) ? card : change(card))) };
}

function ofCard(job: FlashJob, cardId: string, change: (card: CardJob) => CardJob): FlashJob {
  if (!job.cards.some((card) => card.cardId === cardId)) {
    throw fail('request-invalid', { detail: `no card ${cardId} in job ${job.jobId}` });
  }
  return ofAll(job, (card) => (card.cardId === cardId ? change(card) : card));
}

function advanceCard(job: FlashJob, card: CardJob, event: CardEvent, now: number): CardJob {
  switch (event.type) {
    case 'phase':
      return timed(job, inPhase(job, card, event.phase, now), now);
    case 'progress':
      return progressed(job, card, event, now);
    case 'card':
      return judged(job, card, event, now);
    case 'ejected': {
      if (card.state !== 'ejecting') return card;
      const eject = { outcome: event.outcome, failure: event.failure };
      return { ...card, ...standing, state: 'done', eject, endedAt: now };
    }
  }
}

const phases: readonly CardPhase[] = ['preparing', 'writing', 'verifying', 'finishing', 'ejecting'];

const standing = { speed: null, timeLeft: null } as const;

/** A phase that is over does not come back; one that repeats is still the same one. */
function inPhase(job: FlashJob, card: CardJob, phase: CardPhase, now: number): CardJob {
  if (card.phase !== null && phases.indexOf(phase) <= phases.indexOf(card.phase)) return card;
  if (card.state === 'ejecting') return { ...card, phase };
  // Ejecting comes after the verdict, so the word alone makes no state.
  if (phase === 'ejecting') return card;
  const reading = phase === 'verifying' || card.state === 'verifying' || job.action === 'verify';
  return {
    ...card,
    ...standing,
    ...{ phase, bytes: 0, total: null, fraction: 0, throughput: startThroughput(now) },
    state: reading ? 'verifying' : 'writing',
    condition: conditionDuring(job, phase),
    startedAt: card.startedAt ?? now,
  };
}

/** What a card would be if the writer vanished in this phase. */
function conditionDuring(job: FlashJob, phase: CardPhase): KnownCondition {
  if (job.action === 'verify') return 'untouched';
  return phase === 'writing' || phase === 'verifying' ? 'unfinished' : 'unknown';
}

function progressed(
  job: FlashJob,
  before: CardJob,
  event: Extract<CardEvent, { readonly type: 'progress' }>,
  now: number,
): CardJob {
  const card = inPhase(job, before, event.phase, now);
  if (card.phase !== event.phase || event.bytes < card.bytes) return card;
  const next = {
    ...card,
    bytes: event.bytes,
    total: event.total,
    fraction: Math.min(1, Math.max(card.fraction, event.fraction)),
    throughput: measure(card.throughput, event.bytes, now),
  };
  return timed(job, next, now);
}

function timed(job: FlashJob, card: CardJob, now: number): CardJob {
  const speed = speedOf(card.throughput, now);
  const progress = Math.max(card.progress, cardProgress(job, card));
  return { ...card, progress, speed, timeLeft: millisecondsLeft(job, { ...card, speed }) };
}

/** A card is done only by a verdict that says so; a success that contradicts itself is a failure. */
function judged(
  job: FlashJob,
  card: CardJob,
  event: Extract<CardEvent, { readonly type: 'card' }>,
  now: number,
): CardJob {
  if (card.state === 'ejecting') return card;
  const { bytesWritten, bytesVerified, oldDataRemains } = event;
  const condition = believed(card, event);
  const problem = event.failure ?? contradiction(job, event.condition);
  const verdict = { ...card, ...standing, condition, bytesWritten, bytesVerified, oldDataRemains };
  if (problem !== null) {
    const state = problem.code === 'cancelled' ? 'cancelled' : 'failed';
    return { ...verdict, state, failure: problem, endedAt: now };
  }
  if (job.eject) {
    const throughput = startThroughput(now);
    return { ...verdict, state: 'ejecting', phase: 'ejecting', progress: 1, throughput };
  }
  return { ...verdict, state: 'done', progress: 1, endedAt: now };
}

/** What a card is by the writer's word, in the light of how far it was known to have come. */
function believed(
  { phase }: CardJob,
  { condition, failure: cause }: Extract<CardEvent, { readonly type: 'card' }>,
): KnownCondition {
  // A write that failed may have reached the medium, and the last one makes a card of it.
  if (cause !== null && condition === 'unverified') return 'unknown';
  // Who speaks for an engine that vanished knows what it had begun, and not how far it got.
  if (cause?.code === 'writer-ended' && phase === 'finishing') return 'unknown';
  return condition;
}

function contradiction(job: FlashJob, condition: CardCondition): Failure | null {
  const wanted: readonly CardCondition[] =
    job.action === 'flash' && !job.verify ? ['unverified', 'verified'] : ['verified'];
  if (wanted.includes(condition)) return null;
  return failure('internal', {
    detail: `the writer reported success for a card that is ${condition}`,
  });
}

/** The writer's word that nothing was touched; not believed once a card was being written. */
function refused(job: FlashJob, failures: readonly Failure[], now: number): FlashJob {
  const begun = job.cards.some(
    (card) => isFinal(card.state) || (card.phase !== null && card.phase !== 'preparing'),
  );
  if (begun) return job;
  return {
    ...ofAll(job, (card) => ({ ...card, state: 'failed', condition: 'untouched', endedAt: now })),
    refusals: failures,
  };
}

/** Cards without a verdict are failures (or were cancelled), and what they are now is the least known. */
function ended(job: FlashJob, cause: Failure | null, now: number): FlashJob {
  const silent = failure('writer-ended', { detail: 'it ended without a result' });
  const last = ofAll(job, (card) => {
    const cancelled = card.cancelling || cause?.code === 'cancelled';
    if (card.state === 'ejecting') {
      const eject = cancelled
        ? { outcome: 'kept' as const, failure: null }
        : { outcome: 'failed' as const, failure: cause ?? silent };
      return { ...card, ...standing, state: 'done', eject, endedAt: now };
    }
    const reason = cancelled ? failure('cancelled', {}) : (cause ?? silent);
    const state = cancelled ? 'cancelled' : 'failed';
    return { ...card, ...standing, state, failure: reason, endedAt: now };
  });
  return { ...last, ended: true };
}
