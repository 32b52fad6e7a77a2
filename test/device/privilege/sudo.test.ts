import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from 'vitest';
import { BoxwrightRun, descendants } from '../../support/BoxwrightRun.ts';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { makePiImage, type PiImage } from '../../support/PiImage.ts';
import { openDescriptors, programBelow, threadStatus, timeUntilGone } from './Processes.ts';
import { Stage } from './Stage.ts';
import { TerminalRun } from './TerminalRun.ts';

const MIB = 1 << 20;
const PROMPT = 'Password for';

let stage: Stage;
let image: PiImage;
let card: LoopDevice;

beforeAll(async () => {
  stage = await Stage.create();
  image = await makePiImage(stage.folder, 'image', { table: 'dos', size: 48 * MIB, seed: 7 });
  chmodSync(image.path, 0o644);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
beforeEach(async () => {
  card = await LoopDevice.create(64 * MIB);
});
afterEach(async () => {
  await card[Symbol.asyncDispose]();
  stage.refuseSudo();
});

function flash(): string[] {
  return ['flash', image.path, '--to', card.path, '--yes', '--allow-virtual'];
}

/** Without a terminal. */
function run(words = flash()): BoxwrightRun {
  return new BoxwrightRun(words, ([, , ...rest]) => stage.asAccount(stage.boxwright(...rest)));
}

function onTerminal(): TerminalRun {
  return new TerminalRun(stage.asAccount(stage.boxwright(...flash(), '--json')));
}

/** On a machine that has sudo only, however this one is set up. */
function onTerminalWithoutPolkit(): TerminalRun {
  const hide = ['-c', 'mount --bind /dev/null /usr/bin/pkexec && exec "$@"', 'sh'];
  const command = stage.asAccount(stage.boxwright(...flash(), '--json'));
  return new TerminalRun(['/usr/bin/unshare', '--mount', '/bin/sh', ...hide, ...command]);
}

function mediumIsImage(): boolean {
  return readFileSync(card.backing).subarray(0, image.size).equals(readFileSync(image.path));
}

function isUntouched(): boolean {
  return readFileSync(card.backing).every((byte) => byte === 0);
}

/** Nobody else holds the device. */
function isFree(): boolean {
  closeSync(openSync(card.path, constants.O_RDWR | constants.O_EXCL));
  return true;
}

test('an account with the rule of SECURITY.md flashes without terminal and password', async () => {
  stage.allowSudo('without password');
  await using flashing = run();
  const { exitCode } = await flashing.ended;
  expect(flashing.all('refused')).toEqual([]);
  expect(exitCode).toBe(0);
  expect(mediumIsImage()).toBe(true);
});

test('the right password on a terminal', async () => {
  stage.allowSudo('with password');
  await using terminal = onTerminal();
  await terminal.shows(PROMPT);
  await terminal.answer(stage.password);
  expect(await terminal.ended).toBe(0);
  expect(terminal.text).not.toContain(stage.password);
  expect(mediumIsImage()).toBe(true);
});

test('a wrong password three times is a refusal', async () => {
  stage.allowSudo('with password');
  await using terminal = onTerminal();
  for (let attempt = 0; attempt < 3; attempt++) {
    await terminal.shows(PROMPT);
    await terminal.answer('wrong');
  }
  expect(await terminal.ended).toBe(2);
  expect(terminal.reports('refused')).toMatchObject([
    { problems: [{ failure: { code: 'permission-refused' } }] },
  ]);
  expect(isUntouched()).toBe(true);
});

test('an account that no rule names is told so', async () => {
  await using terminal = onTerminalWithoutPolkit();
  await terminal.shows(PROMPT);
  await terminal.answer(stage.password);
  expect(await terminal.ended).toBe(2);
  expect(terminal.reports('refused')).toMatchObject([
    { problems: [{ failure: { code: 'permission-not-administrator' } }] },
  ]);
  expect(isUntouched()).toBe(true);
});

test('a prompt that is closed is no answer', async () => {
  stage.allowSudo('with password');
  await using terminal = onTerminal();
  await terminal.shows(PROMPT);
  terminal.type('\x04');
  expect(await terminal.ended).toBe(2);
  expect(terminal.reports('refused')).toMatchObject([
    { problems: [{ failure: { code: 'permission-dismissed' } }] },
  ]);
});

test('Ctrl+C at the prompt cancels', async () => {
  stage.allowSudo('with password');
  await using terminal = onTerminal();
  await terminal.shows(PROMPT);
  terminal.type('\x03');
  expect(await terminal.ended).toBe(3);
  expect(isUntouched()).toBe(true);
});

test('Ctrl+C while writing reaches the program only, which cancels within two seconds', async () => {
  stage.allowSudo('without password');
  await using terminal = onTerminal();
  await terminal.shows('"phase":"writing"');
  const start = performance.now();
  terminal.type('\x03');
  expect(await terminal.ended).toBe(3);
  expect(performance.now() - start).toBeLessThan(2000);
  expect(terminal.reports('result')).toMatchObject([
    { cards: [{ state: 'cancelled', condition: 'unfinished' }] },
  ]);
  expect(isFree()).toBe(true);
});

test('the engine has no rights left, and nothing open but its streams, the card and the image', async () => {
  stage.allowSudo('without password');
  await using flashing = run();
  const engine = await stoppedEngine(flashing);
  const id = String(stage.uid);
  const gid = execFileSync('/usr/bin/id', ['-g', stage.account], { encoding: 'utf8' }).trim();
  const none = '0'.repeat(16);
  for (const thread of threadStatus(engine)) {
    expect(thread).toMatchObject({
      ...{ Uid: Array(4).fill(id).join('\t'), Gid: Array(4).fill(gid).join('\t') },
      ...{ CapPrm: none, CapEff: none, CapAmb: none, NoNewPrivs: '1' },
      Groups: expect.stringMatching(new RegExp(`^${gid} ?$`)) as string,
    });
  }
  const open = openDescriptors(engine);
  expect(open.get(3)).toBe(card.path);
  const allowed = new RegExp(
    `^(socket:|pipe:|anon_inode:|/dev/null$|${card.path}$|${image.path}$|${stage.folder}/node$)`,
  );
  expect([...open.values()].filter((target) => !allowed.test(target))).toEqual([]);
  // A session of its own, without terminal: what a terminal sends to everyone is not for it.
  const stat = readFileSync(`/proc/${String(engine)}/stat`, 'latin1');
  const [, , , session, terminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  expect([session, terminal]).toEqual([String(engine), '0']);
  const environment = readFileSync(`/proc/${String(engine)}/environ`, 'utf8').split('\0');
  const names = environment.filter(Boolean).map((entry) => entry.split('=')[0]);
  expect(names.sort()).toEqual(['LC_ALL', 'PATH', 'UV_THREADPOOL_SIZE']);
  process.kill(engine, 'SIGCONT');
  expect((await flashing.ended).exitCode).toBe(0);
});

test('no other program of the account can trace the engine or take its descriptors', async () => {
  stage.allowSudo('without password');
  await using flashing = run();
  const engine = await stoppedEngine(flashing);
  const peek = [
    '/bin/sh',
    '-c',
    `cat /proc/${String(engine)}/environ; ls /proc/${String(engine)}/fd/`,
  ];
  const [file = '', ...args] = stage.asAccount(peek);
  const result = spawnSync(file, args, { encoding: 'utf8' });
  expect(result.stdout).toBe('');
  expect(result.stderr.match(/Permission denied/g)).toHaveLength(2);
  process.kill(engine, 'SIGCONT');
  expect((await flashing.ended).exitCode).toBe(0);
});

test('a killed program takes supervisor and engine with it within two seconds', async () => {
  stage.allowSudo('without password');
  await using flashing = run();
  await stoppedEngine(flashing);
  const left = descendants(flashing.pid);
  expect(left.length).toBeGreaterThanOrEqual(3);
  process.kill(flashing.pid, 'SIGKILL');
  expect(await timeUntilGone(left, 2000)).toBeLessThan(2000);
  expect(isFree()).toBe(true);
  const probed = execFileSync('/usr/sbin/blkid', ['-p', '-o', 'export', card.path]).toString();
  expect(probed).toContain('LABEL=BW-UNFINISHED');
});

test('a killed sudo takes them with it as well, and the program says that the writer ended', async () => {
  stage.allowSudo('without password');
  await using flashing = run();
  await stoppedEngine(flashing);
  const [sudo = 0, ...left] = descendants(flashing.pid);
  process.kill(sudo, 'SIGKILL');
  await timeUntilGone(left, 2000);
  const { exitCode } = await flashing.ended;
  expect(exitCode).toBe(1);
  const [result] = flashing.all('result');
  expect(result?.cards).toMatchObject([{ state: 'failed', condition: 'unfinished' }]);
  expect(isFree()).toBe(true);
});

/** Waits until the card is being written, and stops the engine there. */
async function stoppedEngine(flashing: BoxwrightRun): Promise<number> {
  await flashing.first('phase', ({ phase }) => phase === 'writing');
  const engine = programBelow(flashing.pid, 'engine.cjs');
  if (engine === null) throw new Error('no engine');
  process.kill(engine, 'SIGSTOP');
  return engine;
}

test('the rule allows no other way to start the supervisor', () => {
  stage.allowSudo('without password');
  for (const more of [
    ['node', 'supervisor.mjs'],
    ['supervisor.mjs', '--inspect'],
  ]) {
    const [program = '', ...rest] = more;
    const command = [join(stage.folder, program), ...rest];
    const [file = '', ...args] = stage.asAccount(['/usr/bin/sudo', '-n', '--', ...command]);
    expect(spawnSync(file, args, { input: '', encoding: 'utf8' }).stderr).toContain('password');
  }
});
