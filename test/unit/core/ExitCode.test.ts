import { describe, expect, it } from 'vitest';
import { exitCodeOfFailure, exitCodeOfJob } from '../../../src-core/ExitCode.ts';
import { failure } from '../../../src-core/Failure.ts';
import type { FlashEvent } from '../../../src-core/FlashEvent.ts';
import { advance, planJob } from '../../../src-core/FlashJob.ts';

type Ending = 'verified' | 'unverified' | 'failed' | 'cancelled';

function codeOf(endings: readonly Ending[]): number {
  const cardIds = endings.map((_, index) => String(index));
  const job = planJob({ jobId: 'j', action: 'flash', verify: false, eject: false, cardIds });
  const events = endings.map((ending, index): FlashEvent => {
    const problem = {
      failed: failure('card-lost', { drive: 'x' }),
      cancelled: failure('cancelled', {}),
    };
    const well = ending === 'verified' || ending === 'unverified';
    return {
      ...{ type: 'card', cardId: String(index), condition: well ? ending : 'unfinished' },
      ...{ failure: well ? null : problem[ending] },
      ...{ bytesWritten: 1, bytesVerified: 0, oldDataRemains: false },
    };
  });
  return exitCodeOfJob(events.reduce((state, event) => advance(state, event, 1), job));
}

describe('the exit code of a job', () => {
  it.each([
    [['verified', 'verified'], 0],
    [['verified', 'failed'], 1],
    [['verified', 'unverified'], 4],
    [['unverified', 'failed'], 1],
    [['failed', 'cancelled', 'unverified'], 3],
    [['verified', 'cancelled'], 3],
  ] as [Ending[], number][])('of %j is %i', (endings, code) => {
    expect(codeOf(endings)).toBe(code);
  });

  it('is that of a fault of the program while a card is still at work', () => {
    const job = planJob({ jobId: 'j', action: 'flash', verify: true, eject: true, cardIds: ['a'] });
    expect(exitCodeOfJob(job)).toBe(70);
  });
});

describe('the exit code of a failure before there was a job', () => {
  it.each([
    [failure('usage-invalid', { detail: '' }), 64],
    [failure('internal', { detail: '' }), 70],
    [failure('cancelled', {}), 3],
    [failure('image-not-found', { path: 'x' }), 2],
    [failure('permission-refused', {}), 2],
  ])('%j', (cause, code) => {
    expect(exitCodeOfFailure(cause)).toBe(code);
  });
});
