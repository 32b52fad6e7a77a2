import { isFinal } from './FlashJob.ts';
import type { FlashJob, JobState } from './FlashJob.ts';

const order: readonly JobState[] = [
  'planned',
  'awaiting-permission',
  'writing',
  'verifying',
  'ejecting',
];

/**
 * The state of the whole job: the least advanced of the cards still at work; when all are final,
 * cancelled outranks failed outranks done.
 */
export function jobState(job: FlashJob): JobState {
  const states = job.cards.map((card) => card.state);
  const ranked: readonly JobState[] = [...order, 'cancelled', 'failed', 'done'];
  return ranked.find((state) => states.includes(state)) ?? 'done';
}

/** 0 to 1: the mean of the cards; a card whose state is final counts as all done. */
export function jobProgress(job: FlashJob): number {
  if (job.cards.length === 0) return 1;
  const parts = job.cards.map((card) => (isFinal(card.state) ? 1 : card.progress));
  return parts.reduce((sum, part) => sum + part, 0) / parts.length;
}

/** Milliseconds until the last card is done; null while that is unknown of any card at work. */
export function jobTimeLeft(job: FlashJob): number | null {
  const left = job.cards.filter((card) => !isFinal(card.state)).map((card) => card.timeLeft);
  return left.reduce<number | null>(
    (most, each) => (most === null || each === null ? null : Math.max(most, each)),
    0,
  );
}
