import type { FailureCode } from '../../src-core/Failure.ts';

/** What is said of a card that is as it should be. */
export const verified = { state: 'done', condition: 'verified', problem: null } as const;

/** What is said of a card whose flash broke off. */
export function failedWith(code: FailureCode): object {
  return { state: 'failed', condition: 'unfinished', problem: { failure: { code } } };
}
