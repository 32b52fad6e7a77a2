import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, open, readFile, stat, truncate, utimes } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  WRITER_PROTOCOL,
  writerReportSchema,
  type SupervisorRequest,
  type WriterReport,
} from '../../src-contract/WriterWire.ts';
import { jsonLine } from '../../src-core/JsonLines.ts';
import { BoxwrightRun, flashWords, runBoxwright } from '../support/BoxwrightRun.ts';
import { FaultyDisk } from '../support/FaultyDisk.ts';
import { LoopDevice } from '../support/LoopDevice.ts';
import { makeOwnFolder, removeOwnFolder } from '../support/OwnFolder.ts';
import { makePiImage, type PiImage } from '../support/PiImage.ts';

const run = promisify(execFile);
const MIB = 1 << 20;
const SIZE = 32 * MIB;
const CARD = 40 * MIB;

let folder = '';
let image: PiImage;

beforeAll(async () => {
  folder = await makeOwnFolder();
  image = await makePiImage(folder, 'pi', { table: 'dos', size: SIZE, seed: 40 });
});

afterAll(async () => {
  await removeOwnFolder(folder);
});

/** The codes of all that stood against the command. */
function refusals(flash: BoxwrightRun): string[] {
  return flash
    .all('refused')
    .flatMap(({ problems }) => problems.map(({ failure }) => failure.code));
}

test('a virtual drive is refused unless it is allowed', async () => {
  await using device = await LoopDevice.create(CARD);
  const ended = await runBoxwright(['flash', image.path, '--to', device.path, '--yes']);
  expect(ended).toMatchObject({ exitCode: 2 });
  expect(refusals(ended.run)).toEqual(['drive-refused']);
});

test('a write-protected device is refused', async () => {
  await using device = await LoopDevice.create(CARD, { readOnly: true });
  const ended = await runBoxwright(flashWords(image.path, [device]));
  expect(ended).toMatchObject({ exitCode: 2 });
  const [refused] = ended.run.all('refused');
  expect(refused?.problems).toMatchObject([{ failure: { code: 'drive-refused' } }]);
  expect(JSON.stringify(refused?.problems)).toContain('read-only');
});

test('a card that is too small is refused, and not touched', async () => {
  await using device = await LoopDevice.create(16 * MIB);
  const ended = await runBoxwright(flashWords(image.path, [device]));
  expect(ended).toMatchObject({ exitCode: 2 });
  expect(refusals(ended.run)).toEqual(['image-too-large']);
  expect((await readFile(device.backing)).every((byte) => byte === 0)).toBe(true);
});

test('one refused card refuses the whole job, and the other stays untouched', async () => {
  await using good = await LoopDevice.create(CARD);
  await using small = await LoopDevice.create(16 * MIB);
  expect(await runBoxwright(flashWords(image.path, [good, small]))).toMatchObject({ exitCode: 2 });
  const content = await readFile(good.backing);
  expect(content.every((byte) => byte === 0)).toBe(true);
});

test('a second writer finds the drive busy, and the first one finishes', async () => {
  await using disk = await FaultyDisk.create(CARD);
  await disk.inject({ kind: 'stall', operation: 'write', afterBytes: 8 * MIB });
  await using first = new BoxwrightRun(flashWords(image.path, [disk]));
  await disk.struck('stall');
  const second = await runBoxwright(flashWords(image.path, [disk], '--allow-warned'));
  expect(second.exitCode === 1 || second.exitCode === 2).toBe(true);
  expect(JSON.stringify(second.run.reports)).toContain('"drive-busy"');
  await disk.heal();
  expect(await first.ended).toMatchObject({ exitCode: 0 });
});

test('--no-verify: written, not verified, exit code 4', async () => {
  await using device = await LoopDevice.create(CARD);
  const ended = await runBoxwright(flashWords(image.path, [device], '--no-verify'));
  expect(ended).toMatchObject({ exitCode: 4, complaint: '' });
  expect(ended.run.all('card')).toMatchObject([{ state: 'done', condition: 'unverified' }]);
  const content = (await readFile(device.backing)).subarray(0, SIZE);
  expect(content.equals(await readFile(image.path))).toBe(true);
});

test('an image with another hash than expected is not left bootable', async () => {
  await using device = await LoopDevice.create(CARD);
  const wrong = '0'.repeat(64);
  const ended = await runBoxwright(flashWords(image.path, [device], '--sha256', wrong));
  expect(ended).toMatchObject({ exitCode: 1 });
  expect(ended.run.story(device.path).at(-1)).toBe('failed, unfinished, image-hash-mismatch');
});

test('an image that changes while it is read fails every card', async () => {
  await using disk = await FaultyDisk.create(CARD);
  const changing = join(folder, 'changing.img');
  await copyFile(image.path, changing);
  await disk.inject({ kind: 'stall', operation: 'write', afterBytes: 8 * MIB });
  await using flash = new BoxwrightRun(flashWords(changing, [disk]));
  await disk.struck('stall');
  await using file = await open(changing, 'r+');
  await file.write(Buffer.from('changed'), 0, 7, SIZE - 512);
  const { mtimeMs } = await stat(changing);
  await utimes(changing, new Date(), new Date(mtimeMs + 5000));
  await disk.heal();
  expect(await flash.ended).toMatchObject({ exitCode: 1 });
  expect(flash.story(disk.path).at(-1)).toBe('failed, unfinished, image-changed');
});

test('a practice card on a full disk fails with disk-full', async () => {
  const full = join(folder, 'full');
  await mkdir(full);
  await run('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'size=12m', 'boxwright-test', full]);
  const card = join(full, 'card.img');
  const ended = await runBoxwright(['flash', image.path, '--to', `practice:${card}`, '--yes']);
  expect(ended).toMatchObject({ exitCode: 1 });
  expect(ended.run.all('card')).toMatchObject([
    { state: 'failed', condition: 'unfinished', problem: { failure: { code: 'disk-full' } } },
  ]);
});

/** Cached pages of the device still hold what the medium no longer does. */
test('verify reads the medium, not the cache', async () => {
  await using device = await LoopDevice.create(CARD);
  expect(await runBoxwright(flashWords(image.path, [device]))).toMatchObject({ exitCode: 0 });
  await using cached = await open(device.path, 'r');
  const before = Buffer.alloc(SIZE);
  await cached.read(before, 0, SIZE, 0);
  const place = 20 * MIB + 77;
  await using medium = await open(device.backing, 'r+');
  await medium.write(Buffer.from([(before[place] ?? 0) ^ 0xff]), 0, 1, place);
  await medium.sync();
  const after = Buffer.alloc(SIZE);
  await cached.read(after, 0, SIZE, 0);
  // Who trusts the cache is deceived.
  expect(after.equals(await readFile(image.path))).toBe(true);
  const ended = await runBoxwright(['verify', image.path, '--on', device.path]);
  expect(ended).toMatchObject({ exitCode: 1 });
  expect(ended.run.all('card')).toMatchObject([
    {
      condition: 'different',
      problem: { failure: { code: 'read-back-differs', facts: { offset: 20 * MIB } } },
    },
  ]);
});

test('what the medium loses between writing and reading back is seen', async () => {
  await using disk = await FaultyDisk.create(CARD);
  await disk.inject({ kind: 'slow', operation: 'write', bytesPerSecond: 60 * MIB });
  await using flash = new BoxwrightRun(flashWords(image.path, [disk]));
  await flash.first('phase', ({ phase }) => phase === 'writing');
  await disk.inject({ kind: 'stall', operation: 'read', afterBytes: 0 });
  await disk.struck('stall');
  const place = 30 * MIB + 5;
  await using medium = await open(disk.backing, 'r+');
  await medium.write(Buffer.from([0x55, 0xaa, 0x55]), 0, 3, place);
  await disk.heal();
  expect(await flash.ended).toMatchObject({ exitCode: 1 });
  expect(flash.story(disk.path).at(-1)).toBe('failed, unfinished, read-back-differs');
});

/** Speaks to the real supervisor as the program does; resolves with all it says about the job. */
async function order(request: SupervisorRequest & { type: 'order' }): Promise<WriterReport[]> {
  const supervisor = fileURLToPath(new URL('../../dist/supervisor.mjs', import.meta.url));
  const child = spawn(process.execPath, ['--disable-sigusr1', supervisor], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const reports: WriterReport[] = [];
  const ended = once(child, 'exit');
  createInterface(child.stdout).on('line', (line) => {
    const report = writerReportSchema.parse(JSON.parse(line));
    reports.push(report);
    if (report.type === 'event' && report.event.type === 'end') child.stdin.end();
    if (report.type === 'rejected') child.stdin.end();
  });
  child.stdin.write(jsonLine(request));
  await ended;
  return reports;
}

test('a device swapped under the same name between choosing and writing is refused', async () => {
  await using device = await LoopDevice.create(CARD);
  const { run: scan } = await runBoxwright(['drives', '--all']);
  expect(scan.all('drive').map(({ path }) => path)).toContain(device.path);
  const sequence = async () => Number(await readFile(`/sys/block/${device.name}/diskseq`, 'utf8'));
  const chosen = await sequence();
  const other = `${device.backing}.other`;
  await (await open(other, 'w')).close();
  await truncate(other, CARD);
  await run('/usr/sbin/losetup', ['-d', device.path]);
  await run('/usr/sbin/losetup', ['--direct-io=on', device.path, other]);
  expect(await sequence()).not.toBe(chosen);
  const { size: fileSize, mtimeMs: modified } = await stat(image.path);
  const identity = { size: CARD, serial: null, wwn: null, sequence: chosen };
  const reports = await order({
    v: WRITER_PROTOCOL,
    type: 'order',
    order: {
      ...{ jobId: 'swap', action: 'flash', verify: true, eject: false },
      ...{ allowVirtual: true, imageSize: SIZE },
      image: {
        ...{ path: image.path, fileSize, modified },
        ...{ expectedSha256: null, blockMap: null, forceRaw: false },
      },
      targets: [{ cardId: 'card-1', path: device.path, identity, accepted: [] }],
    },
  });
  const events = reports.flatMap((report) => (report.type === 'event' ? [report.event] : []));
  expect(events).toMatchObject([
    { type: 'refused', failures: [{ code: 'drive-changed', facts: { what: 'sequence' } }] },
    { type: 'end' },
  ]);
  expect((await readFile(other)).every((byte) => byte === 0)).toBe(true);
});
