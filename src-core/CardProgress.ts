import type { CardPhase } from './FlashEvent.ts';

/**
 * What reading back costs beside writing, per byte: readers and cards of the common classes read two
 * to four times as fast as they write. It only shapes the estimate before reading has begun.
 */
const READ_COST = 0.5;

/** What is to be done with a card. */
export interface CardWork {
  readonly action: 'flash' | 'verify';
  /** Whether what was written is read back. */
  readonly verify: boolean;
}

/** How far a card is: the phase, 0 to 1 of it, bytes of it, and bytes per second lately. */
export interface CardPosition {
  readonly phase: CardPhase | null;
  readonly fraction: number;
  readonly bytes: number;
  readonly total: number | null;
  readonly speed: number | null;
}

/** 0 to 1, of everything that is to be done with the card. */
export function cardProgress(work: CardWork, { phase, fraction }: CardPosition): number {
  const finishing = phase === 'finishing' || phase === 'ejecting';
  const written = phase === 'writing' ? fraction : phase === 'verifying' || finishing ? 1 : 0;
  const read = phase === 'verifying' ? fraction : finishing ? 1 : 0;
  if (work.action === 'verify') return read;
  return work.verify ? (written + READ_COST * read) / (1 + READ_COST) : written;
}

/** Milliseconds until the card is done, from the speed of its present phase; null while unknown. */
export function millisecondsLeft(work: CardWork, position: CardPosition): number | null {
  const { phase, fraction, bytes, speed } = position;
  if (phase === 'finishing' || phase === 'ejecting') return 0;
  if (phase === null || speed === null || speed === 0) return null;
  const total = position.total ?? (fraction > 0 ? bytes / fraction : null);
  if (total === null) return null;
  const here = Math.max(0, total - bytes);
  const later = phase === 'writing' && work.verify ? total * READ_COST : 0;
  return ((here + later) * 1000) / speed;
}
