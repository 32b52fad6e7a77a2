import { describe, expect, it } from 'vitest';
import type { Drive } from '../../../src-core/Drive.ts';
import type { DriveVerdict } from '../../../src-core/DriveVerdict.ts';
import { planFlash } from '../../../src-core/FlashPlan.ts';
import type { CardChoice, DriveChoice, FlashDraft } from '../../../src-core/FlashPlan.ts';

const GIB = 1024 ** 3;

const drive: Drive = {
  ...{ path: '/dev/sdb', name: 'sdb', label: 'Generic MassStorageClass', serial: '12', wwn: null },
  ...{ sequence: 7, slot: null, cardId: null, size: 8 * GIB, logicalBlockSize: 512, bus: 'usb' },
  ...{ removable: true, readOnly: false, hasMedium: true, virtual: false, unfinished: false },
  ...{ partitions: [], uses: [], openedBy: [], contentUnread: false },
};

const allowed: DriveVerdict = { verdict: 'allowed', refusals: [], warnings: [], notes: [] };
const warned: DriveVerdict = {
  ...{ verdict: 'warned', refusals: [], notes: [] },
  warnings: [{ code: 'large', about: '1 TB' }],
};

function refusedFor(code: DriveVerdict['refusals'][number]['code'], about = ''): DriveVerdict {
  return { verdict: 'refused', refusals: [{ code, about }], warnings: [], notes: [] };
}

function choice(verdict: DriveVerdict, name = 'sdb'): DriveChoice {
  return { kind: 'drive', drive: { ...drive, path: `/dev/${name}`, name }, verdict };
}

const practice: CardChoice = {
  ...{ kind: 'practice', path: '/tmp/card.img', size: GIB, holdsForeignFile: false },
};

function draft(choices: readonly CardChoice[], options: Partial<FlashDraft> = {}): FlashDraft {
  return {
    ...{ action: 'flash', imageSize: GIB, choices, allowWarned: false, consent: 'given' },
    ...options,
  };
}

function codes(plan: ReturnType<typeof planFlash>): string[] {
  return plan.ok ? [] : plan.refusals.map(({ code }) => code);
}

function consents(plan: ReturnType<typeof planFlash>): string[] {
  return plan.ok ? plan.cards.map((card) => card.consentNeeded) : ['refused'];
}

describe('consent', () => {
  it.each([
    [allowed, 'given', false, ['none'], []],
    [allowed, 'askable', false, ['yes'], []],
    [allowed, 'impossible', false, ['refused'], ['drive-not-confirmed']],
    [warned, 'given', false, ['refused'], ['drive-warned']],
    [warned, 'given', true, ['none'], []],
    [warned, 'askable', false, ['name'], []],
    [warned, 'askable', true, ['yes'], []],
    [warned, 'impossible', false, ['refused'], ['drive-warned']],
    [warned, 'impossible', true, ['refused'], ['drive-not-confirmed']],
  ] as const)('%o, %s, allow-warned %s', (verdict, consent, allowWarned, needed, refusals) => {
    const plan = planFlash(draft([choice(verdict)], { consent, allowWarned }));
    expect(consents(plan)).toEqual(needed);
    expect(codes(plan)).toEqual(refusals);
  });

  it('is needed for a practice card only where a file of the user would be lost', () => {
    expect(consents(planFlash(draft([practice], { consent: 'impossible' })))).toEqual(['none']);
    const foreign = { ...practice, holdsForeignFile: true };
    expect(codes(planFlash(draft([foreign], { consent: 'impossible' })))).toEqual([
      'drive-not-confirmed',
    ]);
    expect(consents(planFlash(draft([foreign], { consent: 'askable' })))).toEqual(['yes']);
    expect(consents(planFlash(draft([foreign])))).toEqual(['none']);
  });
});

describe('refusals', () => {
  it.each([
    'carries-root',
    'carries-boot',
    'carries-system',
    'carries-swap',
    'carries-program',
    'holds-image',
    'holds-cache',
    'read-only',
    'no-medium',
    'internal-bus',
    'unknown-bus',
    'virtual',
  ] as const)('%s: no option opens such a drive', (code) => {
    const plan = planFlash(draft([choice(refusedFor(code, 'md0'))], { allowWarned: true }));
    expect(plan).toEqual({
      ok: false,
      refusals: [
        {
          code: 'drive-refused',
          facts: { drive: '/dev/sdb (Generic MassStorageClass)', reasons: `${code}: md0` },
        },
      ],
    });
  });

  it('one refused drive refuses the job, and every refusal is told', () => {
    const plan = planFlash(
      draft([
        choice(allowed, 'sdb'),
        choice(refusedFor('carries-root'), 'sda'),
        choice(refusedFor('read-only'), 'sdc'),
      ]),
    );
    expect(codes(plan)).toEqual(['drive-refused', 'drive-refused']);
  });

  it('tells in bytes that a card is too small', () => {
    const plan = planFlash(draft([choice(refusedFor('too-small'))], { imageSize: 9 * GIB }));
    expect(plan).toMatchObject({
      refusals: [{ code: 'image-too-large', facts: { imageBytes: 9 * GIB, driveBytes: 8 * GIB } }],
    });
  });

  it('never lets a refused drive through because its reason could not be put better', () => {
    const verdict = refusedFor('too-small');
    expect(codes(planFlash(draft([choice(verdict)], { imageSize: null })))).toEqual([
      'drive-refused',
    ]);
  });

  it('takes no drive twice, however it was named', () => {
    expect(codes(planFlash(draft([choice(allowed), choice(allowed)])))).toEqual([
      'drive-chosen-twice',
    ]);
  });

  it('takes a practice card alone only', () => {
    expect(codes(planFlash(draft([practice, choice(allowed)])))).toEqual(['usage-invalid']);
    expect(codes(planFlash(draft([])))).toEqual(['usage-invalid']);
  });
});

describe('comparing only', () => {
  const reading = { action: 'verify', consent: 'impossible' } as const;

  it('asks nothing, and minds neither warnings nor the write-protect switch', () => {
    const plan = planFlash(
      draft([choice(warned), choice(refusedFor('read-only'), 'sdc')], reading),
    );
    expect(consents(plan)).toEqual(['none', 'none']);
  });

  it('leaves alone what is refused for another reason', () => {
    const plan = planFlash(draft([choice(refusedFor('carries-root'))], reading));
    expect(codes(plan)).toEqual(['drive-refused']);
    const small = planFlash(
      draft([choice(refusedFor('too-small'))], { ...reading, imageSize: 9 * GIB }),
    );
    expect(codes(small)).toEqual(['image-too-large']);
  });

  it('tells of a practice card that is too small', () => {
    expect(codes(planFlash(draft([practice], { ...reading, imageSize: 9 * GIB })))).toEqual([
      'image-too-large',
    ]);
  });
});

it('numbers the cards in the order of choice', () => {
  const plan = planFlash(draft([choice(allowed, 'sdc'), choice(allowed, 'sdb')]));
  expect(plan.ok && plan.cards.map(({ cardId }) => cardId)).toEqual(['card-1', 'card-2']);
});
