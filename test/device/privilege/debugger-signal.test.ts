import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { descendants } from '../../support/BoxwrightRun.ts';
import { FaultyDisk } from '../../support/FaultyDisk.ts';
import { makePiImage, type PiImage } from '../../support/PiImage.ts';
import { commandOf, programBelow, threadStatus } from './Processes.ts';
import { Stage } from './Stage.ts';
import { orderOf, SupervisorTalk, targetOf } from './SupervisorTalk.ts';
import { SystemBus } from './SystemBus.ts';

const MIB = 1 << 20;

let bus: SystemBus;
let stage: Stage;
let image: PiImage;
let card: FaultyDisk;

beforeAll(async () => {
  stage = await Stage.create();
  stage.allowSudo('without password');
  stage.usePolkit('YES');
  bus = await SystemBus.open();
  image = await makePiImage(stage.folder, 'image', { table: 'dos', size: 24 * MIB, seed: 11 });
  chmodSync(image.path, 0o644);
  // polkitd reads rules and actions at its own time.
  while (asAccount(['/usr/bin/pkexec', ...stage.supervisor]) !== 0) await delay(100);
});
afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});
beforeEach(async () => {
  card = await FaultyDisk.create(32 * MIB);
});
afterEach(async () => {
  await card[Symbol.asyncDispose]();
});

function asAccount(command: readonly string[]): number | null {
  const [file = '', ...args] = stage.asAccount(command);
  return spawnSync(file, args, { input: '', stdio: ['pipe', 'ignore', 'ignore'] }).status;
}

/** What the account may signal of these processes, which is then done. */
function signalled(pids: readonly number[]): number[] {
  return pids.filter((pid) => asAccount(['/bin/kill', '-USR1', String(pid)]) === 0);
}

/** Ports on which one of these processes listens; a debugger of Node's takes 127.0.0.1:9229. */
function portsOf(pids: readonly number[]): string[] {
  const { stdout } = spawnSync('/usr/bin/ss', ['-Hltnp'], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => pids.some((pid) => line.includes(`pid=${String(pid)},`)));
}

/**
 * Resolves when a Node without the guard, which got the signal later than all others, has opened its
 * debugger: time enough for one of them.
 */
async function debuggersHadTime(): Promise<void> {
  const wait = 'process.stdout.write("ready"); setInterval(() => 0, 1000)';
  const unguarded = spawn(join(stage.folder, 'node'), ['--inspect-port=0', '-e', wait], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(unguarded.stdout, 'data');
  unguarded.kill('SIGUSR1');
  await once(unguarded.stderr, 'data');
  expect(portsOf([unguarded.pid ?? 0])).toHaveLength(1);
  unguarded.kill('SIGKILL');
  await once(unguarded, 'close');
}

/** SIGUSR1 is 10, and the masks count from bit 0. */
function isPending(pid: number): boolean {
  const [status] = threadStatus(pid);
  const masks = [status?.['SigPnd'], status?.['ShdPnd']];
  return masks.some((mask = '0') => (BigInt(`0x${mask}`) & (1n << 9n)) !== 0n);
}

const ways: readonly [way: string, words: readonly string[], relayed: boolean][] = [
  ['sudo', ['/usr/bin/sudo', '-n', '--'], true],
  ['pkexec', ['/usr/bin/pkexec'], false],
];

test.each(ways)(
  'behind %s no signal of the account opens a debugger, and the job is done',
  async (_, words, relayed) => {
    await using supervisor = new SupervisorTalk(stage.asAccount([...words, ...stage.supervisor]));
    await supervisor.until(({ type }) => type === 'hello');
    const started = [supervisor.pid, ...descendants(supervisor.pid)];
    const node = join(stage.folder, 'node');
    const privileged = started.find((pid) => commandOf(pid).startsWith(node)) ?? 0;
    // sudo keeps the account as its real user, may be signalled for that, and hands the signal on.
    expect(signalled(started)).toEqual(relayed ? [supervisor.pid] : []);
    expect(privileged === supervisor.pid).toBe(!relayed);
    await debuggersHadTime();
    expect(portsOf(started)).toEqual([]);
    expect(isPending(privileged)).toBe(relayed);
    // As if the account had found a way past pkexec.
    process.kill(privileged, 'SIGUSR1');

    await card.inject({ kind: 'stall', operation: 'write', afterBytes: MIB });
    supervisor.send(orderOf(image.path, [targetOf(card.path)]));
    await card.struck('stall');
    const engine = programBelow(supervisor.pid, 'engine.cjs') ?? 0;
    expect(signalled([engine])).toEqual([engine]);
    await debuggersHadTime();
    expect(portsOf([...started, engine])).toEqual([]);
    expect([privileged, engine].map(isPending)).toEqual([true, true]);
    await card.heal();
    await supervisor.untilEvent('end');
    expect(supervisor.events).toContainEqual(
      expect.objectContaining({ type: 'card', condition: 'verified', failure: null }),
    );
  },
);
