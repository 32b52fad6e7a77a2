import { describe, expect, it } from 'vitest';
import { failure, FailureError } from '../../../src-core/Failure.ts';
import type { CardCondition, FlashEvent } from '../../../src-core/FlashEvent.ts';
import { advance, isFinal, planJob } from '../../../src-core/FlashJob.ts';
import type { CardJob, FlashJob, JobEvent } from '../../../src-core/FlashJob.ts';
import { jobProgress, jobState, jobTimeLeft } from '../../../src-core/JobOverview.ts';
import { exitCodeOfJob } from '../../../src-core/ExitCode.ts';

const MIB = 1024 * 1024;

function job(cards = 1, options: Partial<Parameters<typeof planJob>[0]> = {}): FlashJob {
  const cardIds = Array.from({ length: cards }, (_, index) => `card-${String(index + 1)}`);
  return planJob({ jobId: 'j', action: 'flash', verify: true, eject: true, cardIds, ...options });
}

function run(start: FlashJob, events: readonly JobEvent[], step = 1000): FlashJob {
  return events.reduce((state, event, index) => advance(state, event, (index + 1) * step), start);
}

function first(state: FlashJob): CardJob {
  const card = state.cards.at(0);
  if (card === undefined) throw new Error('no card');
  return card;
}

function phase(name: Extract<FlashEvent, { type: 'phase' }>['phase'], cardId = 'card-1'): JobEvent {
  return { type: 'phase', cardId, phase: name };
}

function progress(bytes: number, total: number | null, fraction: number): JobEvent {
  return { type: 'progress', cardId: 'card-1', phase: 'writing', bytes, total, fraction };
}

function verdict(
  condition: CardCondition,
  problem: Extract<FlashEvent, { type: 'card' }>['failure'] = null,
  cardId = 'card-1',
): JobEvent {
  return {
    ...{ type: 'card', cardId, condition, failure: problem },
    ...{ bytesWritten: 7, bytesVerified: 5, oldDataRemains: false },
  };
}

const ejected: JobEvent = {
  type: 'ejected',
  cardId: 'card-1',
  outcome: 'ejected',
  failure: null,
};

describe('a job that goes well', () => {
  it('passes through its states in order', () => {
    const events: JobEvent[] = [
      { type: 'awaiting-permission' },
      phase('preparing'),
      phase('writing'),
      phase('verifying'),
      phase('finishing'),
      verdict('verified'),
      phase('ejecting'),
      ejected,
      { type: 'end' },
    ];
    let state = job();
    const seen = [jobState(state)];
    for (const [index, event] of events.entries()) {
      state = advance(state, event, index);
      seen.push(jobState(state));
    }
    expect(seen).toEqual([
      ...['planned', 'awaiting-permission', 'writing', 'writing', 'verifying', 'verifying'],
      ...['ejecting', 'ejecting', 'done', 'done'],
    ]);
    expect(first(state)).toMatchObject({
      ...{ condition: 'verified', failure: null, progress: 1, bytesWritten: 7, bytesVerified: 5 },
      ...{ eject: { outcome: 'ejected', failure: null }, startedAt: 1, endedAt: 7 },
    });
    expect(exitCodeOfJob(state)).toBe(0);
  });

  it('is done with the verdict where nothing is ejected', () => {
    const state = run(job(1, { eject: false }), [phase('writing'), verdict('verified')]);
    expect(jobState(state)).toBe('done');
  });

  it('stays verified when ejecting fails', () => {
    const problem = failure('eject-failed', { drive: 'sdb', cause: 'busy' });
    const state = run(job(), [
      verdict('verified'),
      { type: 'ejected', cardId: 'card-1', outcome: 'failed', failure: problem },
      { type: 'end' },
    ]);
    expect(first(state)).toMatchObject({ state: 'done', condition: 'verified', failure: null });
    expect(first(state).eject?.failure).toEqual(problem);
    expect(exitCodeOfJob(state)).toBe(0);
  });
});

describe('what a card is when the writer vanishes', () => {
  it.each([
    [[], 'untouched'],
    [[{ type: 'awaiting-permission' }], 'untouched'],
    [[phase('preparing')], 'unknown'],
    [[phase('writing')], 'unfinished'],
    [[phase('writing'), phase('verifying')], 'unfinished'],
    [[phase('writing'), phase('verifying'), phase('finishing')], 'unknown'],
  ] as [JobEvent[], string][])('after %j it is %s', (events, condition) => {
    const state = run(job(), [...events, { type: 'writer-ended', failure: null }]);
    expect(first(state)).toMatchObject({ state: 'failed', condition });
    expect(first(state).failure?.code).toBe('writer-ended');
    expect(exitCodeOfJob(state)).toBe(1);
  });

  it('is a failure too when the stream ends politely without a verdict', () => {
    const state = run(job(2), [verdict('verified'), ejected, { type: 'end' }]);
    expect(state.cards.map((card) => card.state)).toEqual(['done', 'failed']);
  });

  it('leaves a verified card verified, with its ejection failed', () => {
    const state = run(job(), [verdict('verified'), { type: 'writer-ended', failure: null }]);
    expect(first(state)).toMatchObject({ state: 'done', condition: 'verified' });
    expect(first(state).eject?.outcome).toBe('failed');
  });

  it('never claims a change by a job that only reads', () => {
    const reading = job(1, { action: 'verify', eject: false });
    const state = run(reading, [phase('verifying'), { type: 'end' }]);
    expect(first(state)).toMatchObject({ state: 'failed', condition: 'untouched' });
  });
});

describe('cancelling', () => {
  it('waits for the word of the writer on what the card is now', () => {
    const asked = run(job(), [phase('writing'), { type: 'cancel', cardId: null }]);
    expect(first(asked)).toMatchObject({ state: 'writing', cancelling: true });
    const state = run(asked, [verdict('unfinished', failure('cancelled', {}))]);
    expect(first(state)).toMatchObject({ state: 'cancelled', condition: 'unfinished' });
    expect(exitCodeOfJob(state)).toBe(3);
  });

  it('takes the end of the writer for it', () => {
    const state = run(job(2), [
      phase('writing'),
      { type: 'cancel', cardId: 'card-1' },
      { type: 'end' },
    ]);
    expect(state.cards.map((card) => card.state)).toEqual(['cancelled', 'failed']);
    expect(exitCodeOfJob(state)).toBe(3);
  });

  it('does not undo a card that was already verified', () => {
    const state = run(job(), [verdict('verified'), { type: 'cancel', cardId: null }, ejected]);
    expect(first(state)).toMatchObject({ state: 'done', condition: 'verified' });
  });
});

describe('a refused job', () => {
  const refusals = [failure('drive-busy', { drive: 'sdb' })];

  it('touched no card', () => {
    const state = run(job(2), [{ type: 'refused', failures: refusals }, { type: 'end' }]);
    expect(state.cards.map((card) => card.condition)).toEqual(['untouched', 'untouched']);
    expect(state.refusals).toEqual(refusals);
    expect(exitCodeOfJob(state)).toBe(2);
  });

  it('is not believed once a card was being written', () => {
    const state = run(job(2), [phase('writing'), { type: 'refused', failures: refusals }]);
    expect(state.refusals).toEqual([]);
    expect(exitCodeOfJob(run(state, [{ type: 'end' }]))).toBe(1);
  });
});

describe('a writer that contradicts itself', () => {
  it.each(['untouched', 'unfinished', 'different', 'unverified'] as const)(
    'is not believed when it calls a card that is %s a success',
    (condition) => {
      const state = run(job(), [phase('writing'), verdict(condition)]);
      expect(first(state)).toMatchObject({ state: 'failed', condition });
      expect(first(state).failure?.code).toBe('internal');
    },
  );

  it.each([
    ['a write of the first MiB that failed', 'unverified', 'write-failed'],
    ['an engine that vanished over it', 'unfinished', 'writer-ended'],
  ] as const)('%s leaves nobody sure of the card', (_, condition, code) => {
    const causes = {
      'write-failed': failure('write-failed', { drive: 'x', offset: 0, cause: 'EIO' }),
      'writer-ended': failure('writer-ended', { detail: '' }),
    };
    const events = [phase('writing'), phase('finishing'), verdict(condition, causes[code])];
    expect(first(run(job(), events))).toMatchObject({ state: 'failed', condition: 'unknown' });
  });

  it('may leave a card unverified where that was asked for', () => {
    const state = run(job(1, { verify: false, eject: false }), [verdict('unverified')]);
    expect(exitCodeOfJob(state)).toBe(4);
  });

  it('is stopped at a card that is not in the job', () => {
    expect(() => run(job(), [phase('writing', 'card-9')])).toThrow(FailureError);
    expect(() => run(job(), [{ type: 'cancel', cardId: 'card-9' }])).toThrow(/card-9/);
  });

  it('cannot turn time back', () => {
    const state = run(job(), [phase('verifying'), phase('writing'), progress(9, 10, 0.9)]);
    expect(first(state)).toMatchObject({ phase: 'verifying', bytes: 0 });
  });

  it('cannot eject what has no verdict', () => {
    const state = run(job(), [phase('writing'), ejected, phase('ejecting')]);
    expect(first(state)).toMatchObject({ state: 'writing', phase: 'writing', eject: null });
  });
});

describe('speed and time left', () => {
  it('come from the bytes of the last seconds', () => {
    const events = Array.from({ length: 10 }, (_, i) =>
      progress((i + 1) * 20 * MIB, 400 * MIB, (i + 1) / 20),
    );
    const state = run(job(), [phase('writing'), ...events]);
    expect(first(state).speed).toBeCloseTo(20 * MIB, -5);
    // 200 MiB to write, then 400 to read at twice the speed.
    expect(first(state).timeLeft).toBeCloseTo(20000, -3);
    expect(jobTimeLeft(state)).toBe(first(state).timeLeft);
    expect(jobProgress(state)).toBeCloseTo(1 / 3, 2);
  });

  it('fall to nothing on a card that stalls, by ticks alone', () => {
    const written = run(job(), [phase('writing'), progress(0, 100, 0), progress(50, 100, 0.5)]);
    expect(first(written).speed).toBeGreaterThan(0);
    const stalled = advance(written, { type: 'tick' }, 20_000);
    expect(first(stalled)).toMatchObject({ speed: 0, timeLeft: null });
  });

  it('are unknown while too little was measured', () => {
    const state = run(job(), [phase('writing'), progress(1, null, 0.1)], 100);
    expect(first(state)).toMatchObject({ speed: null, timeLeft: null });
  });

  it('are estimated by the fraction where no total is known', () => {
    const state = run(job(1, { verify: false }), [
      phase('writing'),
      progress(25 * MIB, null, 0.25),
      progress(50 * MIB, null, 0.5),
    ]);
    expect(first(state).timeLeft).toBeCloseTo(2000, -2);
  });
});

/** mulberry32, so that a failing seed can be run again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function randomEvent(random: () => number, cards: number): JobEvent {
  const pick = <Item>(items: readonly [Item, ...Item[]]): Item =>
    items[Math.floor(random() * items.length)] ?? items[0];
  const cardId = `card-${String(1 + Math.floor(random() * cards))}`;
  const anyPhase = pick(['preparing', 'writing', 'verifying', 'finishing', 'ejecting'] as const);
  const problem = pick([null, failure('cancelled', {}), failure('card-lost', { drive: 'x' })]);
  const condition = pick([
    ...(['untouched', 'unfinished', 'unverified', 'verified', 'different'] as const),
  ]);
  const fraction = random();
  const events: [JobEvent, ...JobEvent[]] = [
    { type: 'phase', cardId, phase: anyPhase },
    { type: 'progress', cardId, phase: anyPhase, bytes: fraction * 1e9, total: null, fraction },
    { type: 'phase', cardId, phase: anyPhase },
    { type: 'tick' },
    { type: 'awaiting-permission' },
    { type: 'hashed', sha256: 'a'.repeat(64), size: 1 },
    {
      ...{ type: 'card', cardId, condition, failure: problem },
      ...{ bytesWritten: 1, bytesVerified: 1, oldDataRemains: false },
    },
    { type: 'ejected', cardId, outcome: 'ejected', failure: null },
    { type: 'cancel', cardId: pick([null, cardId]) },
  ];
  if (random() < 0.03) return { type: 'refused', failures: [failure('writer-busy', {})] };
  if (random() < 0.03) return pick([{ type: 'end' }, { type: 'writer-ended', failure: null }]);
  return pick(events);
}

/** What must hold of every card after every event. */
function expectPromises(card: CardJob, previous: CardJob, verify: boolean, refused: boolean): void {
  if (isFinal(previous.state)) expect(card).toEqual(previous);
  if (card.state === 'done') {
    expect(verify ? ['verified'] : ['verified', 'unverified']).toContain(card.condition);
    expect(card.failure).toBeNull();
  }
  if (card.state === 'cancelled') expect(card.failure?.code).toBe('cancelled');
  if (card.state === 'failed') expect(card.failure !== null || refused).toBe(true);
  expect(card.progress).toBeGreaterThanOrEqual(previous.progress);
  expect(card.progress).toBeLessThanOrEqual(1);
  expect(card.speed === null || card.speed >= 0).toBe(true);
  expect(card.timeLeft === null || card.timeLeft >= 0).toBe(true);
}

function runRandomJob(seed: number): void {
  const random = randomOf(seed);
  const cards = 1 + Math.floor(random() * 4);
  const verify = random() < 0.7;
  let state = job(cards, { verify, eject: random() < 0.5 });
  const saidVerified = new Set<string>();
  for (let step = 0; step < 80; step += 1) {
    const before = state;
    const event = randomEvent(random, cards);
    if (event.type === 'card' && event.condition === 'verified') saidVerified.add(event.cardId);
    state = advance(state, event, step * 500);
    for (const [index, card] of state.cards.entries()) {
      const previous = before.cards[index];
      if (previous === undefined) throw new Error('a card vanished');
      expectPromises(card, previous, verify, state.refusals.length > 0);
      if (card.condition === 'verified') expect(saidVerified).toContain(card.cardId);
    }
  }
  const over = advance(state, { type: 'end' }, 1e6);
  expect(over.cards.every((card) => isFinal(card.state))).toBe(true);
  const code = exitCodeOfJob(over);
  if (code === 0) expect(over.cards.every((card) => saidVerified.has(card.cardId))).toBe(true);
  expect(advance(over, { type: 'phase', cardId: 'nobody', phase: 'writing' }, 2e6)).toBe(over);
}

describe('any sequence of events at all', () => {
  it('keeps every promise', () => {
    for (let seed = 20260000; seed < 20260400; seed += 1) {
      try {
        runRandomJob(seed);
      } catch (cause) {
        throw new Error(`seed ${String(seed)}`, { cause });
      }
    }
  });
});
