import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { toolBelow } from './Processes.ts';
import { Stage } from './Stage.ts';
import { stagedTool } from './StagedTool.ts';
import { orderOf, SupervisorTalk, targetOf } from './SupervisorTalk.ts';

const MIB = 1 << 20;
const SIZE = 16 * MIB;
const DISCARD = '/usr/sbin/blkdiscard';
const SLEEP = '/usr/bin/sleep';
const CANCEL = { v: 1, type: 'cancel', jobId: 'job-1' } as const;

let stage: Stage;
let image = '';
let folder = '';
let card: LoopDevice;

beforeAll(async () => {
  stage = await Stage.create();
  // Not an image, so that the engine does not begin.
  image = join(stage.folder, 'image');
  writeFileSync(image, Buffer.alloc(MIB, 1));
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
beforeEach(async () => {
  folder = await makeOwnFolder();
  card = await LoopDevice.create(SIZE);
  writeFileSync(card.backing, Buffer.alloc(SIZE, 7));
});
afterEach(async () => {
  await removeOwnFolder(folder);
  await card[Symbol.asyncDispose]();
});

/** Empties the first MiB, as a discard does that ends early; `then` is how it ends. */
function partOnly(then: string): string {
  return stagedTool(folder, DISCARD, `"$tool" --force --length 1M "$last"\n${then}`);
}

/** A job with a block map on the card, under a supervisor that sees the setting's mounts. */
function started(
  setting: string,
  { action = 'flash', path = card.path }: { action?: 'flash' | 'verify'; path?: string } = {},
): SupervisorTalk {
  const arranged = ['/bin/sh', '-ec', `${setting}\nexec "$@"`, 'sh'];
  const supervisor = new SupervisorTalk([
    ...['/usr/bin/unshare', '--mount', '--', ...arranged],
    ...stage.supervisor,
  ]);
  const target = { ...targetOf(path), accepted: ['mounted-elsewhere' as const] };
  const blockMap = { kind: 'used-blocks' } as const;
  supervisor.send(orderOf(image, [target], { action, image: { blockMap } }));
  return supervisor;
}

/** What the job says of the card in the end, or that it was refused. */
async function told(supervisor: SupervisorTalk): Promise<unknown[]> {
  await supervisor.untilEvent('end');
  return supervisor.events.flatMap((event) => {
    if (event.type === 'refused') return ['refused'];
    return event.type === 'card' ? [event.condition, event.failure?.code ?? null] : [];
  });
}

/** MiB of the medium that hold nothing any more. */
function emptied(): number {
  const bytes = readFileSync(card.backing);
  const pieces = Array.from({ length: SIZE / MIB }, (_, at) =>
    bytes.subarray(at * MIB, (at + 1) * MIB),
  );
  return pieces.filter((piece) => piece.every((byte) => byte === 0)).length;
}

test('a card that was discarded is unfinished when its flash never begins', async () => {
  await using supervisor = started('');
  expect(await told(supervisor)).toEqual(['unfinished', 'image-not-recognised']);
  expect(emptied()).toBe(SIZE / MIB);
});

test('a card whose discard failed midway is unfinished when its flash never begins', async () => {
  await using supervisor = started(partOnly('exit 1'));
  expect(await told(supervisor)).toEqual(['unfinished', 'image-not-recognised']);
  expect(emptied()).toBe(1);
});

test('a card is unfinished when its discard is killed by a cancellation', async () => {
  await using supervisor = started(partOnly(`exec ${SLEEP} 600`));
  await toolBelow(supervisor.pid, SLEEP);
  supervisor.send({ ...CANCEL, cardId: null });
  expect(await told(supervisor)).toEqual(['unfinished', 'cancelled']);
  expect(emptied()).toBe(1);
});

test('a card that is cancelled alone while its discard fails is unfinished', async () => {
  await using supervisor = started(partOnly(`exec ${SLEEP} 600`));
  const tool = await toolBelow(supervisor.pid, SLEEP);
  supervisor.send({ ...CANCEL, cardId: 'card-1' });
  process.kill(tool, 'SIGKILL');
  expect(await told(supervisor)).toEqual(['unfinished', 'cancelled']);
  expect(emptied()).toBe(1);
});

test('a card that is cancelled before its discard is untouched', async () => {
  execFileSync('/usr/sbin/mkfs.ext4', ['-q', card.path]);
  const place = join(folder, 'mounted');
  mkdirSync(place);
  const waiting = stagedTool(folder, '/usr/bin/umount', `exec ${SLEEP} 600`);
  await using supervisor = started(`mount ${card.path} ${place}\n${waiting}`);
  await toolBelow(supervisor.pid, SLEEP);
  supervisor.send({ ...CANCEL, cardId: null });
  expect(await told(supervisor)).toEqual(['untouched', 'cancelled']);
});

/** A card that takes no requests to discard: its medium lies where no file can have holes. */
function undiscardable(): string {
  const place = join(folder, 'mounted');
  mkdirSync(place);
  execFileSync('/usr/bin/mount', ['-t', 'ramfs', 'none', place]);
  const backing = join(place, 'medium');
  writeFileSync(backing, Buffer.alloc(SIZE, 7));
  return execFileSync('/usr/sbin/losetup', ['-f', '--show', backing], { encoding: 'utf8' }).trim();
}

test('a card that cannot be discarded is untouched when its flash never begins', async () => {
  const path = undiscardable();
  await using supervisor = started('', { path });
  expect(await told(supervisor)).toEqual(['untouched', 'image-not-recognised']);
  expect(readFileSync(path).equals(Buffer.alloc(SIZE, 7))).toBe(true);
});

test('a card that is only compared is not discarded', async () => {
  await using supervisor = started('', { action: 'verify' });
  expect(await told(supervisor)).toEqual(['untouched', 'image-not-recognised']);
  expect(emptied()).toBe(0);
});

test.each([
  ['ends without a word', 'process.exit(3)', 'writer-ended'],
  [
    'rejects the order',
    `process.stdout.write(JSON.stringify({ v: 1, type: 'rejected',
       failure: { code: 'internal', facts: { detail: 'no' } } }) + '\\n')`,
    'internal',
  ],
])('a card whose discard failed is unfinished when the engine %s', async (_, does, code) => {
  const engine = join(stage.folder, 'engine.cjs');
  const whole = readFileSync(engine);
  writeFileSync(
    engine,
    `process.stdin.on('end', () => process.exit()).on('data', () => { ${does} });`,
  );
  try {
    await using supervisor = started(partOnly('exit 1'));
    expect(await told(supervisor)).toEqual(['unfinished', code]);
  } finally {
    writeFileSync(engine, whole);
  }
});
