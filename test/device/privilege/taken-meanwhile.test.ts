import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Drive } from '../../../src-core/Drive.ts';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { listedDrive } from './ListedDrive.ts';
import { StagedHold } from './StagedHold.ts';
import { stagedTool } from './StagedTool.ts';

const SIZE = 16 << 20;
const EXCLUSIVE = constants.O_RDWR | constants.O_EXCL;

let folder = '';
let card: LoopDevice;
let drive: Drive;

beforeEach(async () => {
  folder = await makeOwnFolder();
  card = await LoopDevice.create(SIZE);
  execFileSync('/usr/sbin/mkfs.ext4', ['-q', card.path]);
  drive = await listedDrive(card.path);
});
afterEach(async () => {
  await removeOwnFolder(folder);
  await card[Symbol.asyncDispose]();
});

function ownFolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

/** Takes the card, and does something when it is unmounted and not yet opened. */
async function answerAfter(meanwhile: () => void): Promise<unknown> {
  const [unmounted, goOn] = ['unmounted', 'go-on'].map((name) => join(folder, name));
  if (unmounted === undefined || goOn === undefined) throw new Error('no pipes');
  execFileSync('/usr/bin/mkfifo', [unmounted, goOn]);
  const script = `$tool "$@" || exit\n: > ${unmounted}\nread _ < ${goOn}\nexit 0`;
  const staged = stagedTool(folder, '/usr/bin/umount', script);
  const place = ownFolder('mounted');
  const setting = `mount ${card.path} ${place}\n${staged}`;
  await using hold = new StagedHold(setting, drive);
  await Promise.race([readFile(unmounted), hold.answer]);
  meanwhile();
  await writeFile(goOn, '\n');
  return await hold.answer;
}

test('a card that nobody takes while it is unmounted is had', async () => {
  expect(await answerAfter(() => undefined)).toBeNull();
});

test('a card that somebody opens exclusively while it is unmounted is busy, and stays whole', async () => {
  let fd = -1;
  let content = Buffer.alloc(0);
  const answer = await answerAfter(() => {
    fd = openSync(card.path, EXCLUSIVE);
    execFileSync('/usr/bin/sync', [card.path]);
    content = readFileSync(card.backing);
  });
  expect(answer).toEqual({ code: 'drive-busy', facts: { drive: card.path } });
  expect(readFileSync(card.backing).equals(content)).toBe(true);
  closeSync(fd);
  closeSync(openSync(card.path, EXCLUSIVE));
});

test('a card that is mounted, where the mount table here does not show it, is busy', async () => {
  const place = ownFolder('elsewhere');
  // The supervisor of this test has mounts of its own, and sees none that come later.
  const answer = await answerAfter(() => {
    execFileSync('/usr/bin/mount', [card.path, place]);
    writeFileSync(join(place, 'precious'), 'kept');
  });
  expect(answer).toEqual({ code: 'drive-busy', facts: { drive: card.path } });
  expect(readFileSync(join(place, 'precious'), 'utf8')).toBe('kept');
  execFileSync('/usr/bin/umount', [place]);
});

test('a card whose partition is in use somewhere else is busy', async () => {
  const place = ownFolder('elsewhere');
  execFileSync('/usr/sbin/sfdisk', ['-q', '--no-reread', '--no-tell-kernel', card.path], {
    input: 'start=2048\n',
  });
  execFileSync('/usr/bin/partx', ['-a', card.path]);
  try {
    execFileSync('/usr/sbin/mkfs.ext4', ['-q', `${card.path}p1`]);
    execFileSync('/usr/bin/mount', [`${card.path}p1`, place]);
    // In there it is mounted no more, and the table shows nothing of it.
    await using hold = new StagedHold(`umount ${place}`, drive);
    expect(await hold.answer).toEqual({ code: 'drive-busy', facts: { drive: card.path } });
    execFileSync('/usr/bin/umount', [place]);
  } finally {
    execFileSync('/usr/bin/partx', ['-d', card.path]);
  }
});

/** A block device without a driver, by the numbers of its node and those that the kernel tells. */
async function answerOf(node: number, told: number): Promise<unknown> {
  const name = 'sdwide';
  const sysfs = ownFolder('sys');
  const block = join(sysfs, 'devices', name);
  mkdirSync(join(sysfs, 'class/block'), { recursive: true });
  mkdirSync(block, { recursive: true });
  for (const [file, text] of [
    ['dev', `259:${String(told)}`],
    ['size', String(SIZE / 512)],
    ['ro', '0'],
    ['diskseq', '7'],
  ] as const) {
    writeFileSync(join(block, file), `${text}\n`);
  }
  symlinkSync(block.replace(sysfs, '../..'), join(sysfs, 'class/block', name));
  const path = `/dev/${name}`;
  const place = `mount --bind ${sysfs} /sys\nmount -t tmpfs none /dev`;
  const wide = { ...drive, ...{ name, path, size: SIZE, sequence: 7 } };
  await using hold = new StagedHold(`${place}\nmknod ${path} b 259 ${String(node)}`, wide);
  return await hold.answer;
}

test('a device is known by all twenty bits of its minor number', async () => {
  const minor = 0x5_4321;
  // It is found to be the one that was chosen; that nobody answers for it shows only then.
  expect(await answerOf(minor, minor)).toEqual({
    ...{ code: 'reader-lost', facts: { drive: '/dev/sdwide' } },
  });
});

test.each([0x21, 0x321, 0x4321])('minor number %i is another device', async (minor) => {
  expect(await answerOf(0x5_4321, minor)).toEqual({
    ...{ code: 'drive-changed', facts: { drive: '/dev/sdwide', what: 'device' } },
  });
});
