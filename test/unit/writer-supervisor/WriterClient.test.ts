import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DriveOrder } from '../../../src-contract/WriterWire.ts';
import { failure } from '../../../src-core/Failure.ts';
import type { FailureCode, Failure } from '../../../src-core/Failure.ts';
import type { FlashEvent } from '../../../src-core/FlashEvent.ts';
import { ChildProgram } from '../../../src-services/ChildProgram.ts';
import type { ElevationWay } from '../../../src-services/Elevation.ts';
import { WriterClient } from '../../../src-services/WriterClient.ts';

const HELLO = `say({ type: 'hello', program: 'test' });`;
const ANSWERS = `${HELLO} answer((request) => {
  if (request.type === 'order') event(request, { type: 'hashed', sha256: '0'.repeat(64), size: 1 });
  if (request.type === 'order') event(request, { type: 'end' });
  if (request.type === 'inspect') say({ type: 'content', jobId: request.jobId,
    content: { partitionTable: 'mbr', partitions: [], unfinished: null } });
});`;

let folder = '';
let client: WriterClient | null = null;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'boxwright-client-'));
});
afterEach(async () => {
  await client?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Programs that speak the writer's wire, and note each of their starts in the file "starts". */
function place(name: string, body: string): void {
  const prelude = `
    require('node:fs').appendFileSync(${JSON.stringify(path.join(folder, 'starts'))}, '${name}\\n');
    const say = (report) => process.stdout.write(JSON.stringify({ v: 1, ...report }) + '\\n');
    const event = ({ jobId, order }, event) => say({ type: 'event', jobId: order?.jobId ?? jobId, event });
    const answer = (serve) => process.stdin.on('data', (text) =>
      String(text).split('\\n').filter(Boolean).forEach((line) => serve(JSON.parse(line))));
    process.stdin.on('end', () => process.exit());
  `;
  writeFileSync(path.join(folder, name), prelude + body);
}

function starts(): string[] {
  return readFileSync(path.join(folder, 'starts'), 'utf8').split('\n').filter(Boolean);
}

/** A way of permission that runs a script in place of the supervisor. */
function way(script: string, refusal: FailureCode = 'writer-unreachable'): ElevationWay {
  return {
    asksNobody: false,
    start: () => new ChildProgram([process.execPath, path.join(folder, script)], {}),
    explain: (): Failure =>
      refusal === 'writer-unreachable'
        ? failure(refusal, { detail: '' })
        : ({ code: refusal, facts: {} } as Failure),
  };
}

function clientOf(...ways: ElevationWay[]): WriterClient {
  client = new WriterClient(folder, () => ({ ways: () => Promise.resolve(ways) }));
  return client;
}

const image = {
  ...{ path: '/image', fileSize: 1, modified: 1, expectedSha256: null, blockMap: null },
  forceRaw: false,
};
const identity = { size: 1, serial: null, wwn: null, sequence: null };
const target = { cardId: 'card-1', path: '/dev/none', identity, accepted: [] };

function order(jobId: string): DriveOrder {
  return {
    ...{ jobId, action: 'flash', image, targets: [target], verify: true, eject: false },
    ...{ allowVirtual: false, imageSize: null },
  };
}

async function codeOf(running: Promise<unknown>): Promise<string> {
  const thrown = await running.then(
    () => ({ failure: { code: 'none' } }),
    (cause: unknown) => cause as { failure: Failure },
  );
  return thrown.failure.code;
}

test('permission is asked once for several jobs and inspections', async () => {
  place('supervisor.cjs', ANSWERS);
  const writer = clientOf(way('supervisor.cjs'));
  for (const jobId of ['a', 'b']) {
    const events: FlashEvent[] = [];
    await writer.runOnDrives(order(jobId), (event) => events.push(event));
    expect(events.map(({ type }) => type)).toEqual(['hashed', 'end']);
  }
  expect(await writer.inspectDrive('c', target)).toMatchObject({ partitionTable: 'mbr' });
  expect(starts()).toEqual(['supervisor.cjs']);
});

test('what nobody has to be asked for is started ahead, and only once', async () => {
  place('supervisor.cjs', ANSWERS);
  const writer = clientOf({ ...way('supervisor.cjs'), asksNobody: true });
  writer.warmUp();
  await expect.poll(() => starts()).toEqual(['supervisor.cjs']);
  expect(await writer.inspectDrive('a', target)).toMatchObject({ partitionTable: 'mbr' });
  expect(starts()).toEqual(['supervisor.cjs']);
});

test('a start ahead that fails is tried again when it is needed, and told then', async () => {
  place('supervisor.cjs', 'process.exit(1);');
  const writer = clientOf({ ...way('supervisor.cjs', 'permission-refused'), asksNobody: true });
  writer.warmUp();
  expect(await codeOf(writer.inspectDrive('a', target))).toBe('permission-refused');
  expect(starts()).toEqual(['supervisor.cjs', 'supervisor.cjs']);
});

test('nobody is asked ahead', async () => {
  place('supervisor.cjs', ANSWERS);
  const asked: string[] = [];
  const asking = way('supervisor.cjs');
  const writer = clientOf({
    ...asking,
    start: (command) => {
      asked.push('asked');
      return asking.start(command);
    },
  });
  writer.warmUp();
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toEqual([]);
  await writer.inspectDrive('a', target);
  expect(asked).toEqual(['asked']);
});

test('a supervisor that ended between jobs is started again', async () => {
  place('supervisor.cjs', `${ANSWERS} answer(() => setTimeout(() => process.exit(), 10));`);
  const writer = clientOf(way('supervisor.cjs'));
  await writer.runOnDrives(order('a'), () => undefined);
  const inspected = async (): Promise<number> => {
    await codeOf(writer.inspectDrive('b', target));
    return starts().length;
  };
  await expect.poll(inspected).toBeGreaterThan(1);
});

test.each([
  ['ends without a word', `process.exit(3);`, 'permission-refused'],
  [
    'speaks another version',
    `process.stdout.write('{"v":2,"type":"hello","program":"x"}\\n');`,
    'protocol-mismatch',
  ],
  [
    'speaks another language',
    `process.stdout.write('Hello!\\n'); setInterval(() => 0, 1000);`,
    'request-invalid',
  ],
  [
    'ends in the middle',
    `${HELLO} answer((r) => { event(r, { type: 'phase', cardId: 'card-1', phase: 'writing' }); process.exit(0); });`,
    'writer-ended',
  ],
  [
    'rejects',
    `${HELLO} answer(() => say({ type: 'rejected', failure: { code: 'writer-busy', facts: {} } }));`,
    'writer-busy',
  ],
  [
    'claims an unknown event',
    `${HELLO} answer((r) => event(r, { type: 'done' }));`,
    'request-invalid',
  ],
  [
    'ends with unfinished text',
    `${HELLO} answer((r) => { process.stdout.write('{"v":1,"type":"ev'); process.exit(0); });`,
    'writer-ended',
  ],
])('a supervisor that %s', async (_, body, code) => {
  place('supervisor.cjs', body);
  const writer = clientOf(way('supervisor.cjs', 'permission-refused'));
  expect(await codeOf(writer.runOnDrives(order('a'), () => undefined))).toBe(code);
});

test.each<[first: FailureCode, second: FailureCode, told: string, asked: number]>([
  ['permission-no-agent', 'permission-refused', 'permission-refused', 2],
  ['permission-not-administrator', 'permission-no-agent', 'permission-not-administrator', 2],
  ['permission-not-administrator', 'permission-dismissed', 'permission-dismissed', 2],
  ['permission-no-agent', 'permission-no-agent', 'permission-no-agent', 2],
  ['permission-dismissed', 'permission-refused', 'permission-dismissed', 1],
  ['permission-refused', 'permission-refused', 'permission-refused', 1],
])('%s, then %s: %s', async (first, second, told, asked) => {
  place('supervisor.cjs', 'process.exit(1);');
  const writer = clientOf(way('supervisor.cjs', first), way('supervisor.cjs', second));
  expect(await codeOf(writer.runOnDrives(order('a'), () => undefined))).toBe(told);
  expect(starts()).toHaveLength(asked);
});

test('the next way is taken where the first cannot ask', async () => {
  place('silent.cjs', 'process.exit(1);');
  place('supervisor.cjs', ANSWERS);
  const writer = clientOf(way('silent.cjs', 'permission-no-agent'), way('supervisor.cjs'));
  await writer.runOnDrives(order('a'), () => undefined);
  expect(starts()).toEqual(['silent.cjs', 'supervisor.cjs']);
});

test('a job that is cancelled while permission is asked for ends at once', async () => {
  place('supervisor.cjs', 'setInterval(() => 0, 1000);');
  const writer = clientOf(way('supervisor.cjs'));
  const running = codeOf(writer.runOnDrives(order('a'), () => undefined));
  writer.cancel('b', null);
  writer.cancel('a', null);
  expect(await running).toBe('cancelled');
});

test('cards that are cancelled while permission is asked for are told to the supervisor', async () => {
  place(
    'supervisor.cjs',
    `setTimeout(() => { ${HELLO} }, 50); let job; answer((request) => {
    if (request.type === 'order') job = request;
    else { event(job, { type: 'phase', cardId: request.cardId, phase: 'finishing' }); event(job, { type: 'end' }); }
  });`,
  );
  const events: FlashEvent[] = [];
  const writer = clientOf(way('supervisor.cjs'));
  const running = writer.runOnDrives(order('a'), (event) => events.push(event));
  writer.cancel('a', 'card-1');
  await running;
  expect(events).toEqual([
    { type: 'phase', cardId: 'card-1', phase: 'finishing' },
    { type: 'end' },
  ]);
});

test('one job at a time', async () => {
  place('supervisor.cjs', ANSWERS);
  const writer = clientOf(way('supervisor.cjs'));
  const first = writer.runOnDrives(order('a'), () => undefined);
  expect(await codeOf(writer.runOnDrives(order('b'), () => undefined))).toBe('writer-busy');
  await first;
});

test('closing never takes longer than a second, whatever the supervisor does', async () => {
  place(
    'supervisor.cjs',
    `${HELLO} process.stdin.removeAllListeners('end'); setInterval(() => 0, 1000);
    process.on('SIGTERM', () => 0);`,
  );
  const writer = clientOf(way('supervisor.cjs'));
  const running = codeOf(writer.runOnDrives(order('a'), () => undefined));
  await expect.poll(() => starts()).toHaveLength(1);
  const start = performance.now();
  await writer.close();
  expect(performance.now() - start).toBeLessThan(1000);
  expect(['writer-ended', 'cancelled']).toContain(await running);
});

test('a practice card is written by the engine alone, with no permission asked', async () => {
  place(
    'engine.cjs',
    `answer((r) => { event(r, { type: 'phase', cardId: r.order.targets[0].device.kind, phase: 'writing' });
    event(r, { type: 'end' }); });`,
  );
  const card = { cardId: 'card-1', path: '/tmp/card.img', size: 4096, verify: true };
  const practice = { jobId: 'a', action: 'flash', image, ...card } as const;
  const events: FlashEvent[] = [];
  await clientOf().runOnPracticeCard(practice, (event) => events.push(event));
  expect(events).toEqual([
    { type: 'phase', cardId: 'practice', phase: 'writing' },
    { type: 'end' },
  ]);
  expect(starts()).toEqual(['engine.cjs']);
});

test('what is no plain file is not inspected as a practice card', async () => {
  expect(await codeOf(clientOf().inspectPracticeCard('a', folder))).toBe(
    'practice-card-not-a-file',
  );
});
