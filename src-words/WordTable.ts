import type { FailureCode } from '../src-core/Failure.ts';
import type { DriveReason } from '../src-core/DriveVerdict.ts';

/** What happened, and what a person can do about it. */
export interface FailureWords {
  readonly cause: string;
  readonly nextStep: string;
}

/** All words of one language. The compiler asks for every failure code and every reason. */
export interface WordTable {
  /** `{{name}}` is a fact of that code; `{{name, bytes}}` shows it as a size. */
  readonly failures: Readonly<Record<FailureCode, FailureWords>>;
  readonly reasons: Readonly<Record<DriveReason, string>>;
  /** The next step after a refusal for this reason alone. */
  readonly reasonSteps: Readonly<Partial<Record<DriveReason, string>>>;
  /** By the name of the error: "EACCES". A name without words is shown as it is. */
  readonly systemErrors: Readonly<Record<string, string>>;
  /** By key; keys that end in `_one`, `_other` ... are the plural forms of one sentence. */
  readonly sentences: Readonly<Record<string, string>>;
}
