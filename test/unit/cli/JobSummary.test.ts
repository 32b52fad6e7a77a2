import { describe, expect, it } from 'vitest';
import { summaryLines } from '../../../src-cli/JobSummary.ts';
import type { Drive } from '../../../src-core/Drive.ts';
import { failure } from '../../../src-core/Failure.ts';
import type { Failure } from '../../../src-core/Failure.ts';
import type { CardCondition, EjectOutcome } from '../../../src-core/FlashEvent.ts';
import { advance, planJob } from '../../../src-core/FlashJob.ts';
import type { JobAction, JobEvent } from '../../../src-core/FlashJob.ts';
import type { CardChoice } from '../../../src-core/FlashPlan.ts';
import type { PreparedFlash } from '../../../src-services/FlashPreparation.ts';
import { Words } from '../../../src-words/Words.ts';

const words = new Words('en');

const drive: Drive = {
  ...{ path: '/dev/sdb', name: 'sdb', label: 'Generic', serial: null, wwn: null, sequence: 7 },
  ...{ slot: null, cardId: null, size: 8e9, logicalBlockSize: 512, bus: 'usb', removable: true },
  ...{ readOnly: false, hasMedium: true, virtual: false, unfinished: false },
  ...{ partitions: [], uses: [], openedBy: [], contentUnread: false },
};

const card: CardChoice = {
  ...{ kind: 'drive', drive },
  verdict: { verdict: 'allowed', refusals: [], warnings: [], notes: [] },
};

function prepared(choices: readonly CardChoice[], action: JobAction): PreparedFlash {
  const order = {
    ...{ path: '/i/os.img', fileSize: 5, modified: 1, expectedSha256: null, blockMap: null },
    forceRaw: false,
  };
  return {
    request: {
      ...{ action, image: 'os.img', cards: [], expectedSha256: null, blockMap: null },
      ...{ forceRaw: false, verify: true, eject: true, allowWarned: false, allowVirtual: false },
      consent: 'given',
    },
    image: { format: 'raw', size: 5e9, leastSize: 5e9, order },
    cards: choices.map((choice, index) => {
      return { cardId: String(index), choice, consentNeeded: 'none' };
    }),
  };
}

interface Ending {
  readonly condition: CardCondition;
  readonly problem?: Failure;
  readonly eject?: { readonly outcome: EjectOutcome; readonly failure: Failure | null };
  readonly action?: JobAction;
  readonly verify?: boolean;
  readonly oldDataRemains?: boolean;
  readonly choice?: CardChoice;
}

function said(ending: Ending): string[] {
  const { condition, problem = null, eject, action = 'flash', verify = true } = ending;
  const { choice = card, oldDataRemains = false } = ending;
  const plan = { jobId: 'j', action, verify, eject: eject !== undefined, cardIds: ['0'] };
  const bytes = { bytesWritten: 2e9, bytesVerified: 2e9, oldDataRemains };
  const events: JobEvent[] = [
    { type: 'phase', cardId: '0', phase: 'writing' },
    { type: 'card', cardId: '0', condition, failure: problem, ...bytes },
    ...(eject === undefined ? [] : [{ type: 'ejected', cardId: '0', ...eject } as const]),
    { type: 'end' },
  ];
  const job = events.reduce(
    (state, event, at) => advance(state, event, at * 31_000),
    planJob(plan),
  );
  const lines = summaryLines(job, prepared([choice], action), new Map([['0', 'sdb']]), words);
  return lines.map(({ text, isProblem }) => (isProblem ? `! ${text}` : text));
}

it('a card with other sectors than images are made for is to be tried', () => {
  const choice: CardChoice = { ...card, drive: { ...drive, logicalBlockSize: 4096 } };
  const lines = said({ condition: 'verified', choice });
  expect(lines[1]).toMatch(/^ {2}Next: Try it in its box .* sectors of 4,096 bytes/);
  expect(said({ condition: 'verified' }).join('\n')).not.toContain('sectors');
  expect(said({ condition: 'verified', choice, action: 'verify' }).join()).not.toContain('sectors');
});

describe('what is said of a card at its end', () => {
  it('verified and ejected', () => {
    expect(said({ condition: 'verified', eject: { outcome: 'ejected', failure: null } })).toEqual([
      'sdb: verified. 2 GB written and read back in 1 min 2 sec.',
      '  Next: You can take it out now and start the box with it.',
    ]);
  });

  it('verified on a virtual drive, or left in its reader', () => {
    const virtual = { outcome: 'not-ejectable', failure: null } as const;
    expect(said({ condition: 'verified', eject: virtual }).join()).toContain('cannot be ejected');
    expect(said({ condition: 'verified' }).join()).toContain('Eject it before you take it out');
  });

  it('verified, and ejecting failed: the card is good', () => {
    const problem = failure('eject-failed', { drive: 'sdb', cause: 'busy' });
    const lines = said({ condition: 'verified', eject: { outcome: 'failed', failure: problem } });
    expect(lines[0]).toMatch(/^sdb: verified/);
    expect(lines[1]).toContain('could not be ejected: busy. The card is written.');
  });

  it('written, not verified', () => {
    expect(said({ condition: 'unverified', verify: false })).toEqual([
      'sdb: written, not verified. 2 GB in 31 sec.',
      '  Next: Read it back before you rely on it: boxwright verify os.img --on /dev/sdb',
      '  Next: It was not ejected. Eject it before you take it out.',
    ]);
  });

  it('failed: the cause, what it is now, and the next step, as a problem', () => {
    const facts = { drive: 'sdb', offset: 4096, differingBytes: 512, checkedBytes: 2e9 };
    expect(said({ condition: 'unfinished', problem: failure('read-back-differs', facts) })).toEqual(
      [
        '! sdb: FAILED. What sdb gives back differs from the image: 512 bytes of 2 GB checked, first at byte 4,096. It is unfinished: it has no partition table and cannot boot.',
        '!   Next: Flash it again with another reader, adapter or port. If it differs there too, use another card.',
      ],
    );
  });

  it('cancelled: what it is now', () => {
    const problem = failure('cancelled', {});
    expect(said({ condition: 'unfinished', problem })).toEqual([
      '! sdb: cancelled. It is unfinished: it has no partition table and cannot boot.',
      '!   Next: Flash it again before you use it.',
    ]);
    expect(said({ condition: 'untouched', problem })).toEqual([
      '! sdb: cancelled. It was not changed.',
    ]);
  });

  it('compared: the same, or not', () => {
    expect(said({ condition: 'verified', action: 'verify' })[0]).toBe(
      'sdb: the same as the image. 2 GB compared in 31 sec.',
    );
    const facts = { drive: 'sdb', offset: 0, differingBytes: 512, checkedBytes: 2e9 };
    const problem = failure('read-back-differs', facts);
    expect(said({ condition: 'different', problem, action: 'verify' })).toEqual([
      '! sdb: It is not the same as the image. 512 bytes differ, first at byte 0.',
      '!   Next: If it should be that image, flash it again.',
    ]);
  });

  it('old data on it', () => {
    expect(said({ condition: 'verified', oldDataRemains: true }).join()).toContain(
      'can still be read',
    );
  });

  it('a practice card: how to go on with a real one', () => {
    const choice = { kind: 'practice', path: '/p.img', size: 5, holdsForeignFile: false } as const;
    expect(said({ condition: 'verified', choice }).join()).toContain('boxwright flash os.img --to');
  });
});

it('counts the cards of a job, and tells the hash of the image', () => {
  const plan = { jobId: 'j', action: 'flash', verify: true, eject: false } as const;
  const bytes = { bytesWritten: 1, bytesVerified: 1, oldDataRemains: false };
  const lost = failure('card-lost', { drive: 'sdb' });
  const events: JobEvent[] = [
    { type: 'hashed', sha256: 'ab'.repeat(32), size: 1 },
    { type: 'card', cardId: '0', condition: 'verified', failure: null, ...bytes },
    { type: 'card', cardId: '1', condition: 'unfinished', failure: lost, ...bytes },
  ];
  const start = planJob({ ...plan, cardIds: ['0', '1'] });
  const job = events.reduce((state, event) => advance(state, event, 1), start);
  const lines = summaryLines(job, prepared([card, card], 'flash'), new Map(), words);
  expect(lines.slice(-2).map(({ text }) => text)).toEqual([
    `SHA-256 of the image: ${'ab'.repeat(32)}`,
    '1 of 2 cards are done.',
  ]);
});
