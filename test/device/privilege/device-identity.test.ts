import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Drive } from '../../../src-core/Drive.ts';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { listedDrive } from './ListedDrive.ts';
import { StagedHold } from './StagedHold.ts';
import { stagedTool } from './StagedTool.ts';

const MIB = 1 << 20;
const SIZE = 16 * MIB;

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

/** Mounts the card, and has something happen as soon as the supervisor has unmounted it. */
function whenUnmounted(event: string): string {
  const place = join(folder, 'mounted');
  mkdirSync(place);
  const staged = stagedTool(folder, '/usr/bin/umount', `$tool "$@" && { ${event}; }`);
  return `mount ${card.path} ${place}\n${staged}`;
}

async function answerOf(setting: string, chosen = drive): Promise<unknown> {
  await using hold = new StagedHold(setting, chosen);
  return await hold.answer;
}

function changed(what: string): unknown {
  return { code: 'drive-changed', facts: { drive: card.path, what } };
}

test('a card that is only unmounted is the one that was chosen', async () => {
  expect(await answerOf(whenUnmounted('true'))).toBeNull();
});

test('a card that was swapped while the first was unmounted is neither taken nor discarded', async () => {
  await using other = await LoopDevice.create(SIZE);
  const content = Buffer.alloc(SIZE, 7);
  writeFileSync(other.backing, content);
  const swap = `losetup -d ${card.path}; losetup ${card.path} ${other.backing}`;
  expect(await answerOf(whenUnmounted(swap))).toEqual(changed('sequence'));
  expect(readFileSync(other.backing).equals(content)).toBe(true);
});

test('a card that was pulled while it was unmounted is lost', async () => {
  expect(await answerOf(whenUnmounted(`losetup -d ${card.path}`))).toEqual({
    ...{ code: 'card-lost', facts: { drive: card.path } },
  });
});

test('a card that came to hold less while it was unmounted is not taken', async () => {
  const shrink = `truncate -s ${String(SIZE / 2)} ${card.backing}; losetup -c ${card.path}`;
  expect(await answerOf(whenUnmounted(shrink))).toEqual(changed('size'));
});

/** The card as the kernel would show it in a USB reader; gives what puts that in place of /sys. */
function inReader(serial: string): { setting: string; serialFile: string } {
  const sysfs = join(folder, 'sys');
  const port = join(sysfs, 'devices/pci0000:00/0000:00:14.0/usb1/1-2');
  const block = join(port, '1-2:1.0/host2/target2:0:0/2:0:0:0/block', card.name);
  const real = `/sys/block/${card.name}`;
  for (const name of ['dev', 'size', 'ro', 'diskseq', 'removable', 'queue/logical_block_size']) {
    mkdirSync(dirname(join(block, name)), { recursive: true });
    // A file of sysfs claims to be longer than it is, so that copying one would not end.
    writeFileSync(join(block, name), readFileSync(join(real, name)));
  }
  const serialFile = join(port, 'serial');
  writeFileSync(join(port, 'idVendor'), '14cd\n');
  writeFileSync(serialFile, `${serial}\n`);
  const named = join(sysfs, 'class/block');
  mkdirSync(named, { recursive: true });
  symlinkSync(relative(named, block), join(named, card.name));
  return { setting: `mount --bind ${sysfs} /sys`, serialFile };
}

test.each([
  ['the serial number that was chosen', 'A1', 'A1', null],
  ['another serial number', 'A1', 'B2', 'serial'],
  ['a serial number where none was chosen', null, 'B2', 'serial'],
  // Then the scan had it from udev, which is not asked again.
  ['no serial number here', 'A1', '', null],
])('a drive with %s', async (_, chosen, seen, what) => {
  const { setting } = inReader(seen);
  const answer = await answerOf(setting, { ...drive, serial: chosen });
  expect(answer).toEqual(what === null ? null : changed(what));
});

test('a reader with another serial number that came while the card was unmounted is refused', async () => {
  const { setting, serialFile } = inReader('A1');
  const swapped = `${whenUnmounted(`echo B2 > ${serialFile}`)}\n${setting}`;
  expect(await answerOf(swapped, { ...drive, serial: 'A1' })).toEqual(changed('serial'));
});
