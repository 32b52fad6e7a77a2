import { failureOf, type Failure } from '../../src-core/Failure.ts';

/** The failure that a promise rejects with. @throws Error when it does not */
export async function failureFrom(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (thrown) {
    return failureOf(thrown);
  }
  throw new Error('nothing failed');
}
