import { expect, test } from 'vitest';
import type { WriterReport } from '../../../src-contract/WriterWire.ts';
import type { Drive } from '../../../src-core/Drive.ts';
import { identityOf } from '../../../src-core/Drive.ts';
import { exitCodeOfJob, exitCodes } from '../../../src-core/ExitCode.ts';
import { fail } from '../../../src-core/Failure.ts';
import type { FlashJob } from '../../../src-core/FlashJob.ts';
import { advance, planJob } from '../../../src-core/FlashJob.ts';
import type { DevicePlatform } from '../../../src-writer/supervisor/DevicePlatform.ts';
import { runTool, toolPath } from '../../../src-writer/supervisor/SystemTool.ts';
import { WriterJob } from '../../../src-writer/supervisor/WriterJob.ts';

const STICK: Drive = {
  ...{ path: '/dev/sdx', name: 'sdx', label: 'Stick', serial: '1', wwn: null, sequence: 7 },
  ...{ slot: null, cardId: null, size: 8e9, logicalBlockSize: 512, bus: 'usb', removable: true },
  ...{ readOnly: false, hasMedium: true, virtual: false, partitions: [], uses: [], openedBy: [] },
  ...{ contentUnread: false, unfinished: false },
};

/** An engine that calls the card verified as soon as it is asked. */
const ENGINE = `
  const event = (event) => process.stdout.write(JSON.stringify({ v: 1, type: 'event', jobId: 'job-1', event }) + '\\n');
  process.stdin.on('end', () => process.exit()).once('data', () => {
    event({ type: 'phase', cardId: 'card-1', phase: 'writing' });
    event({ type: 'card', cardId: 'card-1', condition: 'verified', failure: null,
      bytesWritten: 1, bytesVerified: 1, oldDataRemains: false });
    event({ type: 'end' });
  });
`;

/** Ejects with a tool, as the platforms do; it ends with the signal. */
function platformWith(tool: readonly string[]): DevicePlatform {
  return {
    engineCommand: () =>
      Promise.resolve({ command: [process.execPath, '-e', ENGINE], handsFiles: false }),
    wholeDevice: (path) => Promise.resolve(path),
    hold: ({ path, size }, { signal }) =>
      Promise.resolve({
        ...{ device: { kind: 'raw-path', path }, size, logicalBlockSize: 512, discarded: false },
        release: () => Promise.resolve(),
        eject: async () => {
          const [name = '', ...args] = tool;
          const { ok, errorText } = await runTool(toolPath(name, 'coreutils'), args, signal);
          if (!ok) throw fail('eject-failed', { drive: path, cause: errorText });
          return 'ejected';
        },
      }),
  };
}

/** Flashes one stick, and does something once it is being ejected. */
async function flash(
  tool: readonly string[],
  whileEjecting: (job: WriterJob) => void,
): Promise<FlashJob> {
  const choice = { expectedSha256: null, blockMap: null, forceRaw: false };
  const image = { path: '/image', fileSize: 1, modified: 1, ...choice };
  const target = { cardId: 'card-1', path: STICK.path, identity: identityOf(STICK), accepted: [] };
  const action = 'flash' as const;
  const plan = { jobId: 'job-1', action, verify: true, eject: true };
  const order = { ...plan, image, targets: [target], allowVirtual: false, imageSize: null };
  let state = planJob({ ...plan, cardIds: ['card-1'] });
  const send = (report: WriterReport): void => {
    if (report.type !== 'event') throw new Error(`sent ${report.type}`);
    state = advance(state, report.event, performance.now());
    if (report.event.type === 'phase' && report.event.phase === 'ejecting') {
      setImmediate(whileEjecting, job);
    }
  };
  const surroundings = { platform: platformWith(tool), scan: () => Promise.resolve([STICK]), send };
  const job = new WriterJob({ v: 1, type: 'order', order }, surroundings);
  await job.run();
  return state;
}

const ENDLESS = ['sleep', '600'];

test.each([
  ['is ejected', ['true'], () => undefined, { outcome: 'ejected', failure: null }],
  [
    'cannot be ejected',
    ['false'],
    () => undefined,
    { outcome: 'failed', failure: expect.objectContaining({ code: 'eject-failed' }) as unknown },
  ],
  [
    'is kept when its ejection is cancelled',
    ENDLESS,
    (job: WriterJob) => {
      job.cancel(null);
    },
    { outcome: 'kept', failure: null },
  ],
  [
    'is kept when the writer is ended meanwhile',
    ENDLESS,
    (job: WriterJob) => {
      job.abort();
    },
    { outcome: 'kept', failure: null },
  ],
])('a verified card %s, and stays verified', async (_, tool, whileEjecting, eject) => {
  const job = await flash(tool, whileEjecting);
  const [card] = job.cards;
  expect(card).toMatchObject({ state: 'done', condition: 'verified', failure: null, eject });
  expect(exitCodeOfJob(job)).toBe(exitCodes.verified);
});

test('cancelling one card does not keep it from being ejected when it is verified', async () => {
  const job = await flash(['true'], (running) => {
    running.cancel('card-1');
  });
  expect(job.cards[0]?.eject).toEqual({ outcome: 'ejected', failure: null });
});

test('a verified card is kept when nobody waits for its ejection any longer', () => {
  const plan = { jobId: 'job-1', action: 'flash', verify: true, eject: true } as const;
  const amounts = { bytesWritten: 1, bytesVerified: 1, oldDataRemains: false };
  const verified = {
    type: 'card',
    cardId: 'card-1',
    condition: 'verified',
    failure: null,
  } as const;
  const ejecting = advance(
    planJob({ ...plan, cardIds: ['card-1'] }),
    { ...verified, ...amounts },
    1,
  );
  const failure = { code: 'cancelled', facts: {} } as const;
  const ended = advance(ejecting, { type: 'writer-ended', failure }, 2);
  expect(ended.cards[0]).toMatchObject({
    ...{ state: 'done', condition: 'verified', eject: { outcome: 'kept', failure: null } },
  });
  expect(exitCodeOfJob(ended)).toBe(exitCodes.verified);
});
