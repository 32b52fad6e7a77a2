import type { Failure } from './Failure.ts';
import { isFinal } from './FlashJob.ts';
import type { FlashJob } from './FlashJob.ts';

/** What the command line tells the program that called it; documented in docs/cli-json.md. */
export const exitCodes = {
  /** Every card was verified. */
  verified: 0,
  /** A card failed. */
  failed: 1,
  /** Refused before anything was touched. */
  refused: 2,
  cancelled: 3,
  /** Written but not verified, as asked for. */
  unverified: 4,
  /** The command line itself was wrong. */
  usage: 64,
  /** A fault of the program. */
  internal: 70,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Of a job: cancelled outranks failed outranks unverified. A job that is still at work has none. */
export function exitCodeOfJob(job: FlashJob): ExitCode {
  if (job.refusals.length > 0) return exitCodes.refused;
  if (!job.cards.every((card) => isFinal(card.state))) return exitCodes.internal;
  if (job.cards.some((card) => card.state === 'cancelled')) return exitCodes.cancelled;
  if (job.cards.some((card) => card.state === 'failed')) return exitCodes.failed;
  if (job.cards.some((card) => card.condition !== 'verified')) return exitCodes.unverified;
  return exitCodes.verified;
}

/** Of a failure that ended the program before there was a job. */
export function exitCodeOfFailure({ code }: Failure): ExitCode {
  if (code === 'internal') return exitCodes.internal;
  if (code === 'usage-invalid') return exitCodes.usage;
  return code === 'cancelled' ? exitCodes.cancelled : exitCodes.refused;
}
