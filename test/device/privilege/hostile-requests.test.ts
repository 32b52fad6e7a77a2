import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { MAX_LINE } from '../../../src-contract/WriterWire.ts';
import { runBoxwright } from '../../support/BoxwrightRun.ts';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { makePiImage, type PiImage } from '../../support/PiImage.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { BoxwrightRun } from '../../support/BoxwrightRun.ts';
import { Stage } from './Stage.ts';
import { orderOf, SupervisorTalk, targetOf } from './SupervisorTalk.ts';

const MIB = 1 << 20;
const SEED = 20_24;
const SECRET = 'only root may read this\n';

let stage: Stage;
let image: PiImage;
let card: LoopDevice;

beforeAll(async () => {
  stage = await Stage.create();
  stage.allowSudo('without password');
  image = await makePiImage(stage.folder, 'image', { table: 'dos', size: 24 * MIB, seed: 8 });
  chmodSync(image.path, 0o644);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
beforeEach(async () => {
  card = await LoopDevice.create(32 * MIB);
});
afterEach(async () => {
  await card[Symbol.asyncDispose]();
});

/** A supervisor that an account without rights started by a rule, as an attacker could. */
function talk(): SupervisorTalk {
  return new SupervisorTalk(stage.asAccount(['/usr/bin/sudo', '-n', '--', ...stage.supervisor]));
}

function isUntouched(medium = card.backing): boolean {
  return readFileSync(medium).every((byte) => byte === 0);
}

/** The whole disk that carries the running system. */
function systemDisk(): string {
  const words = ['-no', 'SOURCE', '--target', '/'];
  const source = execFileSync('/usr/bin/findmnt', words, { encoding: 'utf8' }).trim();
  const parent = execFileSync('/usr/bin/lsblk', ['-ndo', 'PKNAME', source], { encoding: 'utf8' });
  return parent.trim() === '' ? source : `/dev/${parent.trim()}`;
}

test('the whole truth about a harmless drive is what gets it flashed', async () => {
  await using supervisor = talk();
  supervisor.send(orderOf(image.path, [targetOf(card.path)]));
  await supervisor.untilEvent('end');
  expect(supervisor.events).toContainEqual(
    expect.objectContaining({ type: 'card', condition: 'verified', failure: null }),
  );
});

test('a system disk that poses as a USB stick is refused', async () => {
  const disk = systemDisk();
  const stick = { size: 15_931_539_456, serial: '4C530001', wwn: null, sequence: 41 };
  await using supervisor = talk();
  supervisor.send(orderOf(image.path, [{ ...targetOf(disk), identity: stick }]));
  await supervisor.untilEvent('end');
  expect(supervisor.refusals).toEqual([`drive-changed ${disk} sequence`]);
});

test('a system disk that is told truly is refused for what it carries', async () => {
  const disk = systemDisk();
  const listed = (await runBoxwright(['drives', '--all'])).run.all('drive');
  const serial = listed.find(({ path }) => path === disk)?.serial ?? null;
  await using supervisor = talk();
  const target = targetOf(disk);
  const identity = { ...target.identity, serial };
  const accepted: (typeof target)['accepted'] = [
    ...(['large', 'not-removable', 'foreign-file-system'] as const),
    ...(['content-unread', 'mounted-elsewhere', 'files-in-use'] as const),
  ];
  const lying = { ...target, identity, accepted };
  supervisor.send(
    orderOf(image.path, [lying, targetOf(card.path, 'card-2')], { allowVirtual: true }),
  );
  await supervisor.untilEvent('end');
  expect(supervisor.refusals).toHaveLength(1);
  expect(supervisor.refusals[0]).toMatch(/^drive-refused \/dev\/\S+ .*carries-root/);
  // One refused target refuses the job.
  expect(supervisor.events.map(({ type }) => type)).toEqual(['refused', 'end']);
  expect(isUntouched()).toBe(true);
});

test('what is no whole block device, or is told differently, is refused', async () => {
  const link = join(stage.folder, 'link');
  symlinkSync(card.path, link);
  const shared = `/dev/shm/${stage.account}`;
  writeFileSync(shared, '');
  execFileSync('/usr/sbin/sfdisk', ['-q', card.path], { input: 'start=2048\n' });
  execFileSync('/usr/bin/partx', ['-a', card.path]);
  const target = targetOf(card.path);
  const { identity } = target;
  const refusals: readonly [target: typeof target, refusal: string][] = [
    [{ ...target, path: `${card.path}p1` }, `drive-not-whole ${card.path}p1`],
    [{ ...target, path: '/dev/null' }, 'drive-not-whole /dev/null'],
    [{ ...target, path: shared }, `drive-not-whole ${shared}`],
    [{ ...target, path: '/dev/shm' }, 'drive-not-whole /dev/shm'],
    [{ ...target, path: '/etc/shadow' }, 'drive-not-found /etc/shadow'],
    [{ ...target, path: '/root/none' }, 'drive-not-found /root/none'],
    [{ ...target, path: '/dev/../etc/shadow' }, 'drive-not-found /dev/../etc/shadow'],
    [{ ...target, identity: { ...identity, size: 1 } }, `drive-changed ${card.path} size`],
    [{ ...target, identity: { ...identity, serial: 'x' } }, `drive-changed ${card.path} serial`],
    [{ ...target, identity: { ...identity, wwn: 'x' } }, `drive-changed ${card.path} wwn`],
    [
      { ...target, identity: { ...identity, sequence: null } },
      `drive-changed ${card.path} sequence`,
    ],
  ];
  await using supervisor = talk();
  for (const [index, [changed]] of refusals.entries()) {
    const before = supervisor.reports.length;
    supervisor.send(orderOf(image.path, [changed], { jobId: `job-${String(index)}` }));
    await supervisor.until(
      (report) =>
        supervisor.reports.indexOf(report) >= before &&
        report.type === 'event' &&
        report.event.type === 'end',
    );
  }
  expect(supervisor.refusals).toEqual(refusals.map(([, refusal]) => refusal));
  execFileSync('/usr/bin/partx', ['-d', card.path]);
  execFileSync('/usr/bin/rm', [shared]);
});

test('a link to a drive means the drive', async () => {
  const link = join(stage.folder, 'by-id');
  symlinkSync(card.path, link);
  await using supervisor = talk();
  supervisor.send(orderOf(image.path, [{ ...targetOf(card.path), path: link }]));
  supervisor.send(orderOf(image.path, [targetOf(card.path)]));
  await supervisor.untilEvent('end');
  expect(supervisor.refusals).toEqual(['writer-busy']);
  expect(supervisor.events).toContainEqual(expect.objectContaining({ condition: 'verified' }));
});

test('one drive twice, and virtual ones without leave, are refused', async () => {
  await using supervisor = talk();
  const targets = [targetOf(card.path), targetOf(card.path, 'card-2')];
  supervisor.send(orderOf(image.path, targets));
  await supervisor.untilEvent('end');
  supervisor.send(orderOf(image.path, [targetOf(card.path)], { jobId: 'b', allowVirtual: false }));
  await supervisor.until(
    (report) => report.type === 'event' && report.jobId === 'b' && report.event.type === 'end',
  );
  expect(supervisor.refusals).toEqual([
    `drive-chosen-twice ${card.path}`,
    `drive-refused ${card.path} virtual`,
  ]);
  expect(isUntouched()).toBe(true);
});

test('another medium under the same name is not the chosen one', async () => {
  await using other = await LoopDevice.create(32 * MIB);
  const chosen = targetOf(card.path);
  execFileSync('/usr/sbin/losetup', ['-d', card.path]);
  execFileSync('/usr/sbin/losetup', [card.path, other.backing]);
  try {
    expect(targetOf(card.path).identity.size).toBe(chosen.identity.size);
    await using supervisor = talk();
    supervisor.send(orderOf(image.path, [chosen]));
    await supervisor.untilEvent('end');
    expect(supervisor.refusals).toEqual([`drive-changed ${card.path} sequence`]);
    expect(isUntouched(other.backing)).toBe(true);
  } finally {
    execFileSync('/usr/sbin/losetup', ['-d', card.path]);
  }
});

const random = new SeededRandom(SEED);
const order = () => orderOf(image.path, [targetOf(card.path)]);
const hostileLines: readonly [name: string, text: () => string | Uint8Array, code: string][] = [
  ['a line without end', () => 'x'.repeat(MAX_LINE + 1), 'request-invalid'],
  ['a long line', () => `${JSON.stringify('x'.repeat(MAX_LINE))}\n`, 'request-invalid'],
  ['another version', () => `${JSON.stringify({ ...order(), v: 2 })}\n`, 'protocol-mismatch'],
  ['no version', () => '{"type":"cancel","jobId":"a","cardId":null}\n', 'request-invalid'],
  ['an unknown field', () => `${JSON.stringify({ ...order(), shell: 'sh' })}\n`, 'request-invalid'],
  ['an unknown request', () => '{"v":1,"type":"exec","path":"/bin/sh"}\n', 'request-invalid'],
  [
    'an unknown field within',
    () => `${JSON.stringify({ ...order(), order: { ...order().order, uid: 0 } })}\n`,
    'request-invalid',
  ],
  ['no targets', () => `${JSON.stringify(orderOf(image.path, []))}\n`, 'request-invalid'],
  [
    'a path with a zero byte',
    () => `${JSON.stringify(orderOf(image.path, [{ ...targetOf(card.path), path: '/dev/\0' }]))}\n`,
    'request-invalid',
  ],
  ['not JSON', () => 'flash /dev/sda\n', 'request-invalid'],
  [
    `random bytes, seed ${String(SEED)}`,
    () => Buffer.concat([random.bytes(4096), Buffer.from('\n')]),
    'request-invalid',
  ],
];

test.each(hostileLines)('%s ends the connection', async (_, text, code) => {
  await using supervisor = talk();
  await supervisor.until(({ type }) => type === 'hello');
  supervisor.sendText(text());
  expect(await supervisor.ended).toBe(0);
  expect(supervisor.refusals).toEqual([code]);
  expect(isUntouched()).toBe(true);
});

test('an account does not get at a file of root through the image', async () => {
  const secret = join(stage.folder, 'secret.img');
  writeFileSync(secret, readFileSync(image.path), { mode: 0o600 });
  await using supervisor = talk();
  supervisor.send(orderOf(secret, [targetOf(card.path)]));
  await supervisor.untilEvent('end');
  const failures = supervisor.events.flatMap((event) => (event.type === 'card' ? [event] : []));
  expect(failures).toMatchObject([
    { condition: 'untouched', failure: { code: 'image-unreadable', facts: { path: secret } } },
  ]);
  expect(isUntouched()).toBe(true);
});

test('root flashes a file that only root may read, and the engine is nobody', async () => {
  const secret = join(stage.folder, 'roots.img');
  writeFileSync(secret, readFileSync(image.path), { mode: 0o600 });
  await using supervisor = new SupervisorTalk(stage.supervisor);
  supervisor.send(orderOf(secret, [targetOf(card.path)]));
  await supervisor.untilEvent('end');
  expect(supervisor.events).toContainEqual(
    expect.objectContaining({ type: 'card', condition: 'verified', failure: null }),
  );
});

test("a practice card that is a link to a file of root's is not written through", async () => {
  const folder = join(stage.folder, 'cards');
  mkdirSync(folder);
  execFileSync('/usr/bin/chown', [stage.account, folder]);
  const secret = join(stage.folder, 'secret.txt');
  writeFileSync(secret, SECRET, { mode: 0o600 });
  const link = join(folder, 'card.img');
  symlinkSync(secret, link);
  const words = ['flash', image.path, '--to', link, '--yes'];
  const asAccount = ([, , ...rest]: string[]): string[] =>
    stage.asAccount(stage.boxwright(...rest));
  for (const flashing of [new BoxwrightRun(words, asAccount), new BoxwrightRun(words)]) {
    expect((await flashing.ended).exitCode).not.toBe(0);
    expect(readFileSync(secret, 'utf8')).toBe(SECRET);
  }
  expect(statSync(secret).mode & 0o777).toBe(0o600);
});
