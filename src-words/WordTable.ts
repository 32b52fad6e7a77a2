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
  /** By key; keys that end in `_one`, `_other` ... are the plural forms of one sentence. */
  readonly sentences: Readonly<Record<string, string>>;
}
