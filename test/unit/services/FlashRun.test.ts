import { describe, expect, it } from 'vitest';
import type { CardContent, DriveOrder } from '../../../src-contract/WriterWire.ts';
import type { Drive } from '../../../src-core/Drive.ts';
import { exitCodeOfJob } from '../../../src-core/ExitCode.ts';
import { fail } from '../../../src-core/Failure.ts';
import type { FlashEvent } from '../../../src-core/FlashEvent.ts';
import type { CardChoice, DriveChoice, PlannedCard } from '../../../src-core/FlashPlan.ts';
import type { PreparedFlash } from '../../../src-services/FlashPreparation.ts';
import { FlashRun } from '../../../src-services/FlashRun.ts';
import type { PracticeOrder, Writer } from '../../../src-services/Writer.ts';

type Play = (report: (event: FlashEvent) => void, writer: ScriptedWriter) => Promise<void>;

/** A writer that does what a test says: the ways in which a real one breaks. */
class ScriptedWriter implements Writer {
  readonly orders: (DriveOrder | PracticeOrder)[] = [];
  readonly cancelled: (string | null)[] = [];
  readonly #play: Play;

  constructor(play: Play) {
    this.#play = play;
  }

  async runOnDrives(order: DriveOrder, report: (event: FlashEvent) => void): Promise<void> {
    this.orders.push(order);
    await this.#play(report, this);
  }

  async runOnPracticeCard(
    order: PracticeOrder,
    report: (event: FlashEvent) => void,
  ): Promise<void> {
    this.orders.push(order);
    await this.#play(report, this);
  }

  warmUp(): void {
    throw new Error('not in this test');
  }

  inspectDrive(): Promise<CardContent> {
    throw new Error('not in this test');
  }

  inspectPracticeCard(): Promise<CardContent> {
    throw new Error('not in this test');
  }

  cancel(_jobId: string, cardId: string | null): void {
    this.cancelled.push(cardId);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const drive: Drive = {
  ...{ path: '/dev/sdb', name: 'sdb', label: 'Generic', serial: '058F', wwn: null, sequence: 7 },
  ...{ slot: null, cardId: null, size: 8e9, logicalBlockSize: 512, bus: 'usb', removable: true },
  ...{ readOnly: false, hasMedium: true, virtual: false, unfinished: false },
  ...{ partitions: [], uses: [], openedBy: [], contentUnread: false },
};

function driveChoice(verdict: 'allowed' | 'warned'): DriveChoice {
  const warnings = [
    { code: 'large', about: '2 TB' },
    { code: 'files-in-use', about: 'backup' },
  ] as const;
  const given = {
    verdict,
    refusals: [],
    warnings: verdict === 'warned' ? warnings : [],
    notes: [],
  };
  return { kind: 'drive', drive, verdict: given };
}

function prepared(
  choices: readonly CardChoice[] = [driveChoice('allowed')],
  request: Partial<PreparedFlash['request']> = {},
): PreparedFlash {
  const order = {
    ...{ path: '/i/os.img', fileSize: 5, modified: 1, expectedSha256: null, blockMap: null },
    forceRaw: false,
  };
  return {
    request: {
      ...{ action: 'flash', image: 'os.img', cards: [], expectedSha256: null, blockMap: null },
      ...{ forceRaw: false, verify: true, eject: true, allowWarned: false, allowVirtual: false },
      ...{ consent: 'given', ...request },
    },
    image: { format: 'gzip', size: null, leastSize: 4096, order },
    cards: choices.map((choice, index): PlannedCard => ({
      ...{ cardId: `card-${String(index + 1)}`, choice, consentNeeded: 'none' },
    })),
  };
}

async function play(script: Play, given = prepared()) {
  const writer = new ScriptedWriter(script);
  const types: string[] = [];
  const run = new FlashRun(writer, given, (_, { type }) => types.push(type));
  const job = await run.run();
  return { job, writer, types, card: job.cards[0], exitCode: exitCodeOfJob(job) };
}

const writing = { type: 'phase', cardId: 'card-1', phase: 'writing' } as const;
const verified: Extract<FlashEvent, { type: 'card' }> = {
  ...{ type: 'card', cardId: 'card-1', condition: 'verified', failure: null },
  ...{ bytesWritten: 1, bytesVerified: 1, oldDataRemains: false },
};

describe('the order to the writer', () => {
  it('names drives by path and identity, and nothing that the writer could not check', async () => {
    const { writer } = await play(() => Promise.resolve());
    expect(writer.orders).toMatchObject([
      {
        ...{ action: 'flash', verify: true, eject: true, imageSize: 4096 },
        allowVirtual: false,
        targets: [
          {
            ...{ cardId: 'card-1', path: '/dev/sdb' },
            identity: { size: 8e9, serial: '058F', wwn: null, sequence: 7 },
            accepted: [],
          },
        ],
      },
    ]);
  });

  it('accepts for each drive the warnings that were shown for it, and no others', async () => {
    const choices = [driveChoice('warned'), driveChoice('allowed')];
    const given = prepared(choices, { allowWarned: true });
    const { writer } = await play(() => Promise.resolve(), given);
    const shown = choices.map(({ verdict }) => verdict.warnings.map(({ code }) => code));
    expect(shown[0]).not.toEqual([]);
    expect(writer.orders).toMatchObject([{ targets: shown.map((accepted) => ({ accepted })) }]);
  });

  it('of a practice card asks for no permission and ejects nothing', async () => {
    const choice = {
      kind: 'practice',
      path: '/p.img',
      size: 4096,
      holdsForeignFile: false,
    } as const;
    const { types, writer, job } = await play(
      (report) => {
        report(verified);
        return Promise.resolve();
      },
      prepared([choice]),
    );
    expect(types).not.toContain('awaiting-permission');
    expect(writer.orders).toMatchObject([{ path: '/p.img', size: 4096, cardId: 'card-1' }]);
    expect(job).toMatchObject({ eject: false, cards: [{ state: 'done' }] });
  });
});

describe('a writer that breaks', () => {
  it('and ends politely without a verdict makes a failure', async () => {
    const { card, exitCode } = await play((report) => {
      report(writing);
      return Promise.resolve();
    });
    expect(card).toMatchObject({ state: 'failed', condition: 'unfinished' });
    expect(card?.failure?.code).toBe('writer-ended');
    expect(exitCode).toBe(1);
  });

  it('and dies while writing makes a failure with its cause', async () => {
    const { card, exitCode } = await play((report) => {
      report(writing);
      throw fail('writer-ended', { detail: 'SIGKILL' });
    });
    expect(card?.failure).toMatchObject({ code: 'writer-ended', facts: { detail: 'SIGKILL' } });
    expect(exitCode).toBe(1);
  });

  it('and ends before it began was no refusal', async () => {
    const { card, job, exitCode } = await play(() =>
      Promise.reject(fail('writer-ended', { detail: 'code 1' })),
    );
    expect(job.refusals).toEqual([]);
    expect(card).toMatchObject({ state: 'failed', condition: 'untouched' });
    expect(exitCode).toBe(1);
  });

  it.each([
    fail('permission-refused', {}),
    fail('permission-dismissed', {}),
    fail('permission-no-agent', {}),
    fail('writer-unreachable', { detail: 'ENOENT' }),
    fail('protocol-mismatch', { expected: 1, actual: 2 }),
  ])('before it began has touched nothing: %s', async (refusal) => {
    const { job, exitCode } = await play(() => Promise.reject(refusal));
    expect(job.refusals).toEqual([refusal.failure]);
    expect(job.cards).toMatchObject([{ condition: 'untouched' }]);
    expect(exitCode).toBe(2);
  });

  it('and speaks of a card that is not in the job is stopped', async () => {
    const { card, exitCode } = await play((report) => {
      report(writing);
      report({ ...verified, cardId: 'card-9' });
      report(verified);
      return Promise.resolve();
    });
    expect(card?.failure?.code).toBe('request-invalid');
    expect(exitCode).toBe(1);
  });

  it('and goes on after the end is not heard', async () => {
    const { card } = await play((report) => {
      report(writing);
      report({ type: 'end' });
      report(verified);
      return Promise.resolve();
    });
    expect(card).toMatchObject({ state: 'failed', condition: 'unfinished' });
  });
});

describe('cancelling', () => {
  it('is handed to the writer, whose word on the card counts', async () => {
    const said = Promise.withResolvers<undefined>();
    const writer = new ScriptedWriter(async (report) => {
      report(writing);
      await said.promise;
      const failure = { code: 'cancelled', facts: {} } as const;
      report({ ...verified, condition: 'unfinished', failure });
      report({ type: 'end' });
    });
    const run = new FlashRun(writer, prepared(), () => undefined);
    const ending = run.run();
    run.cancel(null);
    said.resolve(undefined);
    const job = await ending;
    expect(writer.cancelled).toEqual([null]);
    expect(job.cards).toMatchObject([{ state: 'cancelled', condition: 'unfinished' }]);
    run.cancel(null);
    expect(writer.cancelled).toEqual([null]);
  });

  it('waits for a silent writer no longer than it is told to', async () => {
    const writer = new ScriptedWriter((report) => {
      report(writing);
      return new Promise(() => undefined);
    });
    const run = new FlashRun(writer, prepared(), () => undefined);
    const ending = run.run();
    run.cancel(null);
    run.abandon();
    expect((await ending).cards).toMatchObject([{ state: 'cancelled', condition: 'unfinished' }]);
  });

  it('while permission is asked for leaves the cards untouched', async () => {
    const { job, exitCode } = await play(() => Promise.reject(fail('cancelled', {})));
    expect(job.cards).toMatchObject([{ state: 'cancelled', condition: 'untouched' }]);
    expect(job.refusals).toEqual([]);
    expect(exitCode).toBe(3);
  });
});
