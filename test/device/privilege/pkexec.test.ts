import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { BoxwrightRun, descendants } from '../../support/BoxwrightRun.ts';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { makePiImage, type PiImage } from '../../support/PiImage.ts';
import { DismissingAgent } from './DismissingAgent.ts';
import { programBelow, threadStatus, timeUntilGone } from './Processes.ts';
import { Stage } from './Stage.ts';
import { SystemBus } from './SystemBus.ts';
import { TerminalRun } from './TerminalRun.ts';

const MIB = 1 << 20;

let bus: SystemBus;
/** Their groups are allowed, refused, and not mentioned. */
let allowed: Stage;
let denied: Stage;
let unknown: Stage;
let image: PiImage;
let card: LoopDevice;

beforeAll(async () => {
  [allowed, denied, unknown] = [await Stage.create(), await Stage.create(), await Stage.create()];
  allowed.usePolkit('YES');
  denied.usePolkit('NO');
  unknown.usePolkit(null);
  bus = await SystemBus.open();
  image = await makePiImage(allowed.folder, 'image', { table: 'gpt', size: 48 * MIB, seed: 9 });
  chmodSync(image.path, 0o644);
  await rulesAreRead();
});
afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  for (const stage of [allowed, denied, unknown]) await stage[Symbol.asyncDispose]();
});
beforeEach(async () => {
  card = await LoopDevice.create(64 * MIB);
});
afterEach(async () => {
  await card[Symbol.asyncDispose]();
});

/** polkitd reads rules and actions at its own time; the allowed account tells when it has. */
async function rulesAreRead(): Promise<void> {
  const [file = '', ...args] = allowed.asAccount(['/usr/bin/pkexec', ...allowed.supervisor]);
  while (spawnSync(file, args, { input: '' }).status !== 0) await delay(100);
}

function words(): string[] {
  return ['flash', image.path, '--to', card.path, '--yes', '--allow-virtual'];
}

/** Without a terminal. */
function run(stage: Stage): BoxwrightRun {
  return new BoxwrightRun(words(), ([, , ...rest]) => stage.asAccount(stage.boxwright(...rest)));
}

async function refusalOf(flashing: BoxwrightRun): Promise<string[]> {
  expect((await flashing.ended).exitCode).toBe(2);
  expect(readFileSync(card.backing).every((byte) => byte === 0)).toBe(true);
  return flashing
    .all('refused')
    .flatMap(({ problems }) => problems.map(({ failure }) => failure.code));
}

test('the packaged action with the rule of SECURITY.md flashes without a password', async () => {
  await using flashing = run(allowed);
  await flashing.first('phase', ({ phase }) => phase === 'writing');
  const engine = programBelow(flashing.pid, 'engine.cjs') ?? 0;
  const uid = Array(4).fill(String(allowed.uid)).join('\t');
  for (const thread of threadStatus(engine)) expect(thread['Uid']).toBe(uid);
  expect((await flashing.ended).exitCode).toBe(0);
  const medium = readFileSync(card.backing).subarray(0, image.size);
  expect(medium.equals(readFileSync(image.path))).toBe(true);
});

test('the rule allows the supervisor and nothing else', () => {
  const node = join(allowed.folder, 'node');
  for (const other of [
    [node, '-e', '0'],
    ['/usr/bin/true'],
    [node, ...allowed.supervisor],
    [join(allowed.folder, 'engine-launcher.mjs')],
  ]) {
    const [file = '', ...args] = allowed.asAccount(['/usr/bin/pkexec', ...other]);
    expect(spawnSync(file, args).status).not.toBe(0);
  }
});

test('a rule that denies is a refusal', async () => {
  await using flashing = run(denied);
  expect(await refusalOf(flashing)).toEqual(['permission-refused']);
});

test('no agent and no terminal: nobody can be asked', async () => {
  await using flashing = run(unknown);
  expect(await refusalOf(flashing)).toEqual(['permission-no-agent']);
});

/** A run that has not begun: an agent can be registered for its process before it asks. */
async function waitingRun(stage: Stage): Promise<BoxwrightRun> {
  const wait = ['/bin/sh', '-c', 'kill -STOP $$; exec "$@"', 'sh'];
  const flashing = new BoxwrightRun(words(), ([, , ...rest]) =>
    stage.asAccount([...wait, ...stage.boxwright(...rest)]),
  );
  while (threadStatus(flashing.pid)[0]?.['State']?.startsWith('T') !== true) await delay(10);
  return flashing;
}

test('an agent whose dialog is closed is a dismissal, told at once', async () => {
  await using flashing = await waitingRun(unknown);
  await using agent = await DismissingAgent.register(flashing.pid);
  process.kill(flashing.pid, 'SIGCONT');
  await flashing.first('permission');
  const start = performance.now();
  expect(await refusalOf(flashing)).toEqual(['permission-dismissed']);
  expect(performance.now() - start).toBeLessThan(2000);
  expect(agent.asked).toEqual([`org.boxwright.${unknown.account}`]);
});

test('an agent that is closed on its terminal is a refusal, told at once', async () => {
  await using flashing = await waitingRun(unknown);
  // pkttyagent closes the descriptor, and thereby ends cat, when it has registered.
  const announced =
    'mkfifo "$1" && { cat "$1"; echo registered; } & until [ -p "$1" ]; do :; done; ' +
    'exec /usr/bin/pkttyagent --process "$2" --notify-fd 3 3>"$1"';
  const fifo = join(unknown.folder, 'registered');
  const command = ['/bin/sh', '-c', announced, 'sh', fifo, String(flashing.pid)];
  await using agent = new TerminalRun(command);
  await agent.shows('registered');
  process.kill(flashing.pid, 'SIGCONT');
  await agent.shows('Password');
  agent.type('\x03');
  const start = performance.now();
  expect(await refusalOf(flashing)).toEqual(['permission-refused']);
  expect(performance.now() - start).toBeLessThan(2000);
});

test('where sudo does not know the account, polkit is asked on the terminal', async () => {
  const command = unknown.boxwright(...words(), '--json');
  await using terminal = new TerminalRun(unknown.asAccount(command));
  await terminal.shows('Password for');
  await terminal.answer(unknown.password);
  await terminal.shows('AUTHENTICATING FOR');
  await terminal.shows('Password');
  await terminal.answer('wrong');
  expect(await terminal.ended).toBe(2);
  expect(terminal.reports('refused')).toMatchObject([
    { problems: [{ failure: { code: 'permission-refused' } }] },
  ]);
});

test('a killed program takes supervisor and engine with it within two seconds', async () => {
  await using flashing = run(allowed);
  await flashing.first('phase', ({ phase }) => phase === 'writing');
  const engine = programBelow(flashing.pid, 'engine.cjs') ?? 0;
  process.kill(engine, 'SIGSTOP');
  const left = descendants(flashing.pid);
  expect(left).toHaveLength(2);
  process.kill(flashing.pid, 'SIGKILL');
  expect(await timeUntilGone(left, 2000)).toBeLessThan(2000);
});

test('neither sudo nor pkexec: a missing tool', async () => {
  const hide = 'mount --bind /dev/null /usr/bin/sudo && mount --bind /dev/null /usr/bin/pkexec';
  await using flashing = new BoxwrightRun(words(), ([, , ...rest]) => [
    ...['/usr/bin/unshare', '--mount', '/bin/sh', '-c', `${hide} && exec "$@"`, 'sh'],
    ...allowed.asAccount(allowed.boxwright(...rest)),
  ]);
  expect(await refusalOf(flashing)).toEqual(['permission-tool-missing']);
});
