import type { Trial } from './Trial.ts';

/** One figure with its target. */
export interface Finding {
  readonly what: string;
  /** null where it could not be measured; the measures tell why. */
  readonly value: number | null;
  readonly target: number;
  readonly sense: 'at most' | 'at least';
  readonly unit: 'ratio' | 'share' | 'MiB';
}

/** All runs of one contestant. */
export interface Measure {
  readonly contestant: string;
  /** Not this product: its failures are told and are no error of the run. */
  readonly isPeer: boolean;
  /** Why it could not take part, or null. */
  readonly reason: string | null;
  readonly trials: readonly Trial[];
}

export interface RowResult {
  readonly row: string;
  readonly device: string;
  readonly findings: readonly Finding[];
  readonly measures: readonly Measure[];
  /** What else was found out. */
  readonly notes: readonly string[];
}
