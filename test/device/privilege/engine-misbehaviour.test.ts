import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { FlashEvent } from '../../../src-core/FlashEvent.ts';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { programBelow, threadStatus, timeUntilGone } from './Processes.ts';
import { Stage } from './Stage.ts';
import { orderOf, SupervisorTalk, targetOf } from './SupervisorTalk.ts';

const MIB = 1 << 20;

let stage: Stage;
let image = '';
let cards: LoopDevice[] = [];

beforeAll(async () => {
  stage = await Stage.create();
  image = join(stage.folder, 'image');
  writeFileSync(image, Buffer.alloc(MIB, 1));
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
beforeEach(async () => {
  cards = [await LoopDevice.create(2 * MIB), await LoopDevice.create(2 * MIB)];
});
afterEach(async () => {
  for (const card of cards) await card[Symbol.asyncDispose]();
});

/** Says things to the supervisor, as an engine that was taken over could. */
const PRELUDE = `
  const say = (report) => process.stdout.write(JSON.stringify({ v: 1, ...report }) + '\\n');
  const event = (event) => say({ type: 'event', jobId: 'job-1', event });
  const phase = (cardId, phase) => event({ type: 'phase', cardId, phase });
  const card = (cardId, failure = null) => event({ type: 'card', cardId, condition: 'verified',
    failure, bytesWritten: 1, bytesVerified: 1, oldDataRemains: false });
  process.stdin.on('end', () => process.exit()).on('data', (text) => serve(String(text)));
`;

/** Runs an order with an engine that does as told; the events without progress. */
async function eventsWith(serve: string): Promise<FlashEvent[]> {
  await using supervisor = order(serve);
  await supervisor.untilEvent('end');
  return supervisor.events;
}

function order(
  serve: string,
  change: Parameters<typeof orderOf>[2] = {},
  command: readonly string[] = stage.supervisor,
): SupervisorTalk {
  const engine = `${PRELUDE} const serve = (text) => { ${serve} };`;
  writeFileSync(join(stage.folder, 'engine.cjs'), engine);
  const supervisor = new SupervisorTalk(command);
  const targets = cards.map(({ path }, index) => targetOf(path, `card-${String(index + 1)}`));
  supervisor.send(orderOf(image, targets, { eject: true, ...change }));
  return supervisor;
}

function verdicts(events: readonly FlashEvent[]): unknown[] {
  return events.flatMap((event) =>
    event.type === 'card' ? [[event.cardId, event.condition, event.failure?.code ?? null]] : [],
  );
}

function areFree(): boolean {
  for (const { path } of cards) closeSync(openSync(path, constants.O_RDWR | constants.O_EXCL));
  return true;
}

test('an engine that ends without a word leaves cards that are told as what they are', async () => {
  const events = await eventsWith(
    `event({ type: 'image', format: 'raw', size: 1 }); phase('card-2', 'preparing'); process.exit(3)`,
  );
  expect(verdicts(events)).toEqual([
    ['card-1', 'untouched', 'writer-ended'],
    ['card-2', 'unfinished', 'writer-ended'],
  ]);
  expect(events.at(-1)).toEqual({ type: 'end' });
  expect(areFree()).toBe(true);
});

test('an engine that says end before it has said how every card ended is not believed', async () => {
  const events = await eventsWith(
    `card('card-1'); phase('card-2', 'writing'); event({ type: 'end' })`,
  );
  expect(verdicts(events)).toEqual([
    ['card-1', 'verified', null],
    ['card-2', 'unfinished', 'writer-ended'],
  ]);
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'ejected', cardId: 'card-1', outcome: 'not-ejectable' }),
  );
});

const outOfPlace: readonly [name: string, said: string][] = [
  ['no JSON', `process.stdout.write('hello\\n')`],
  ['an endless line', `process.stdout.write('x'.repeat(2 << 20))`],
  ['another version', `say({ v: 2, type: 'hello', program: 'x' })`],
  ['an unknown field', `say({ type: 'event', jobId: 'job-1', event: { type: 'end' }, more: 1 })`],
  ['an unknown card', `phase('card-3', 'writing')`],
  ['another job', `say({ type: 'event', jobId: 'job-2', event: { type: 'end' } })`],
  ['a verdict twice', `card('card-1'); card('card-1')`],
  [
    'that a card was ejected',
    `event({ type: 'ejected', cardId: 'card-1', outcome: 'ejected', failure: null })`,
  ],
  [
    'that the job was refused',
    `event({ type: 'refused', failures: [{ code: 'cancelled', facts: {} }] })`,
  ],
  [
    'what is on a card',
    `say({ type: 'content', jobId: 'job-1', content: { partitionTable: 'none', partitions: [], unfinished: null } })`,
  ],
  [
    'a failure with facts that do not belong to it',
    `card('card-1', { code: 'cancelled', facts: { path: '/' } })`,
  ],
];

test.each(outOfPlace)('an engine that says %s is killed', async (_, said) => {
  const events = await eventsWith(`${said}; setInterval(() => 0, 1000)`);
  expect(verdicts(events).at(-1)).toEqual(['card-2', 'untouched', 'writer-ended']);
  expect(events.some((event) => 'cardId' in event && event.cardId === 'card-3')).toBe(false);
  expect(areFree()).toBe(true);
});

test('an engine that does not hear a cancellation is killed within two seconds', async () => {
  await using supervisor = order(
    `if (text.includes('"cancel"')) return; phase('card-1', 'writing'); phase('card-2', 'writing')`,
  );
  await supervisor.untilPhase('writing');
  const start = performance.now();
  supervisor.send({ v: 1, type: 'cancel', jobId: 'job-1', cardId: null });
  await supervisor.untilEvent('end');
  expect(performance.now() - start).toBeGreaterThan(1400);
  expect(performance.now() - start).toBeLessThan(2000);
  expect(verdicts(supervisor.events)).toEqual([
    ['card-1', 'unfinished', 'cancelled'],
    ['card-2', 'unfinished', 'cancelled'],
  ]);
  expect(areFree()).toBe(true);
});

test('a cancellation of one card, or of another job, reaches the engine or nobody', async () => {
  await using supervisor = order(
    `if (!text.includes('"cancel"')) { phase('card-1', 'writing'); return; }
     card('card-2', { code: 'cancelled', facts: {} }); card('card-1'); event({ type: 'end' })`,
  );
  await supervisor.untilPhase('writing');
  supervisor.send({ v: 1, type: 'cancel', jobId: 'job-2', cardId: null });
  supervisor.send({ v: 1, type: 'cancel', jobId: 'job-1', cardId: 'card-2' });
  await supervisor.untilEvent('end');
  expect(verdicts(supervisor.events)).toEqual([
    ['card-2', 'verified', 'cancelled'],
    ['card-1', 'verified', null],
  ]);
  const ejected = supervisor.events.filter(({ type }) => type === 'ejected');
  expect(ejected).toMatchObject([{ cardId: 'card-1' }]);
});

test('an engine that goes on after its end is killed', async () => {
  await using supervisor = order(
    `card('card-1'); card('card-2'); event({ type: 'end' });
     process.stdin.removeAllListeners('end'); setInterval(() => 0, 1000)`,
  );
  await supervisor.untilEvent('ejected');
  const engine = programBelow(supervisor.pid, 'engine.cjs');
  await supervisor.untilEvent('end');
  expect(engine).not.toBeNull();
  await timeUntilGone(engine === null ? [] : [engine], 500);
});

test('an engine outlives a killed supervisor by no more than two seconds', async () => {
  await using supervisor = order(
    `phase('card-1', 'writing'); process.stdin.removeAllListeners('end'); setInterval(() => 0, 1000)`,
  );
  await supervisor.untilPhase('writing');
  const engine = programBelow(supervisor.pid, 'engine.cjs');
  expect(engine).not.toBeNull();
  process.kill(supervisor.pid, 'SIGKILL');
  expect(await timeUntilGone(engine === null ? [] : [engine], 2000)).toBeLessThan(2000);
});

test('the engine cannot take its rights back, nor start anything that could', async () => {
  const events = await eventsWith(`
    const attempts = {};
    for (const call of ['setuid', 'seteuid', 'setgid', 'setegid']) {
      try { process[call](0); attempts[call] = 'done'; } catch (error) { attempts[call] = error.code; }
    }
    const su = require('node:child_process').spawnSync('/usr/bin/sudo', ['-n', 'id'], { encoding: 'utf8' });
    attempts.sudo = su.stderr.includes('no new privileges');
    try { require('node:fs').readFileSync('/etc/shadow'); } catch (error) { attempts.shadow = error.code; }
    try { require('node:fs').openSync('${cards[0]?.path ?? ''}', 'r+'); } catch (error) { attempts.device = error.code; }
    attempts.uid = process.getuid(); attempts.cwd = process.cwd(); attempts.umask = process.umask();
    say({ type: 'rejected', failure: { code: 'internal', facts: { detail: JSON.stringify(attempts) } } });
  `);
  const [refused] = events.filter((event) => event.type === 'refused');
  expect(refused?.failures).toEqual([
    { code: 'internal', facts: { detail: expect.any(String) as string } },
  ]);
  const facts: Record<string, unknown> = refused?.failures[0]?.facts ?? {};
  expect(JSON.parse(String(facts['detail']))).toEqual({
    ...{ setuid: 'EPERM', seteuid: 'EPERM', setgid: 'EPERM', setegid: 'EPERM', sudo: true },
    ...{ shadow: 'EACCES', device: 'EACCES', uid: 65534, cwd: '/', umask: 0o077 },
  });
});

test('inspecting with an engine that ends without an answer is a failure', async () => {
  writeFileSync(join(stage.folder, 'engine.cjs'), 'process.exit(0)');
  await using supervisor = new SupervisorTalk(stage.supervisor);
  const [card] = cards;
  const target = card === undefined ? null : targetOf(card.path);
  supervisor.send({ v: 1, type: 'inspect', jobId: 'job-1', target });
  await supervisor.until(({ type }) => type === 'rejected');
  expect(supervisor.refusals).toEqual(['writer-ended']);
});

test('no signal opens a debugger in the engine, or in the supervisor', async () => {
  await using supervisor = order(`phase('card-1', 'writing')`);
  await supervisor.untilPhase('writing');
  const engine = programBelow(supervisor.pid, 'engine.cjs') ?? 0;
  for (const pid of [engine, supervisor.pid]) {
    expect(threadStatus(pid).filter(catchesUserSignal)).toEqual([]);
  }
  expect(threadStatus(process.pid).filter(catchesUserSignal)).not.toEqual([]);
});

/** SIGUSR1 is 10, and the mask counts from bit 0. */
function catchesUserSignal({ SigCgt = '' }: Record<string, string>): boolean {
  return (BigInt(`0x${SigCgt}`) & (1n << 9n)) !== 0n;
}

test('verifying ejects nothing, whatever was asked', async () => {
  const serve = `card('card-1'); card('card-2'); event({ type: 'end' })`;
  await using supervisor = order(serve, { action: 'verify' });
  await supervisor.untilEvent('end');
  const outcomes = supervisor.events.flatMap((event) =>
    event.type === 'ejected' ? [event.outcome] : [],
  );
  expect(outcomes).toEqual(['kept', 'kept']);
});

/** Makes an hour last a quarter of a second, and any wait at least 200 ms; intervals stay. */
const HURRY = `data:text/javascript,${encodeURIComponent(
  'const later = setTimeout; globalThis.setTimeout = (call, time) => later(call, Math.max(time / 72000, 0) + 200);',
)}`;

test('permission ends for a job that hangs as well', async () => {
  const node = [join(stage.folder, 'node'), '--disable-sigusr1', '--import', HURRY];
  const command = [...node, join(stage.folder, 'supervisor.mjs')];
  const hanging = `process.stdin.removeAllListeners('end'); setInterval(() => 0, 1000)`;
  await using supervisor = order(hanging, {}, command);
  expect(await supervisor.ended).toBe(0);
  expect(areFree()).toBe(true);
});
