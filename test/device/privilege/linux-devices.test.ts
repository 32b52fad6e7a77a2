import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Drive } from '../../../src-core/Drive.ts';
import { LinuxDevices } from '../../../src-writer/supervisor/linux/LinuxDevices.ts';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { listedDrive } from './ListedDrive.ts';

const MIB = 1 << 20;
const { signal } = new AbortController();
const WRITING = { forWriting: true, discard: null, signal };
const READING = { forWriting: false, discard: null, signal };

const platform = new LinuxDevices('/usr/lib/boxwright/');
let folder = '';
let card: LoopDevice;

beforeEach(async () => {
  folder = await makeOwnFolder();
  card = await LoopDevice.create(32 * MIB);
});
afterEach(async () => {
  for (const place of mounts().reverse()) execFileSync('/usr/bin/umount', ['-l', place]);
  // The kernel would keep them for whatever gets this loop device next.
  if (hasPartitions()) execFileSync('/usr/bin/partx', ['-d', card.path]);
  await removeOwnFolder(folder);
  await card[Symbol.asyncDispose]();
});

/** Two partitions with ext4, the second mounted at the given places. */
function mounted(...places: string[]): string[] {
  const table = 'start=2048, size=16384\nstart=20480, size=32768\n';
  execFileSync('/usr/sbin/sfdisk', ['-q', '--no-reread', '--no-tell-kernel', card.path], {
    input: table,
  });
  execFileSync('/usr/bin/partx', ['-a', card.path]);
  execFileSync('/usr/sbin/mkfs.ext4', ['-q', `${card.path}p2`]);
  return places.map((place) => {
    const path = join(folder, place);
    mkdirSync(path);
    execFileSync('/usr/bin/mount', [`${card.path}p2`, path]);
    return path;
  });
}

function hasPartitions(): boolean {
  return existsSync(`/sys/block/${card.name}/${card.name}p1`);
}

/** Mount points in the test's folder. */
function mounts(): string[] {
  const table = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return table.map((line) => line.split(' ')[1] ?? '').filter((path) => path.startsWith(folder));
}

async function holdFailure(drive: Drive, options = WRITING): Promise<unknown> {
  try {
    const held = await platform.hold(drive, options);
    await held.release();
    return null;
  } catch (cause) {
    return cause instanceof Error && 'failure' in cause ? cause.failure : cause;
  }
}

test('a held device is exclusive, past the cache, and free again after its release', async () => {
  const held = await platform.hold(await listedDrive(card.path), WRITING);
  expect(held).toMatchObject({ size: 32 * MIB, logicalBlockSize: 512, discarded: false });
  const exclusive = constants.O_RDWR | constants.O_EXCL;
  expect(() => openSync(card.path, exclusive)).toThrow('EBUSY');
  const fd = held.device.kind === 'descriptor' ? held.device.fd : -1;
  const flags = /^flags:\t(\d+)$/m.exec(
    readFileSync(`/proc/self/fdinfo/${String(fd)}`, 'utf8'),
  )?.[1];
  expect(parseInt(flags ?? '0', 8) & constants.O_DIRECT).toBe(constants.O_DIRECT);
  await held.release();
  await held.release();
  closeSync(openSync(card.path, exclusive));
});

test('a device that somebody else holds is busy, and stays so', async () => {
  const fd = openSync(card.path, constants.O_RDONLY | constants.O_EXCL);
  expect(await holdFailure(await listedDrive(card.path))).toEqual({
    ...{ code: 'drive-busy', facts: { drive: card.path } },
  });
  closeSync(fd);
});

test('everything on the drive is unmounted, also twice mounted and oddly named', async () => {
  mounted('first', 'second with space', 'third\nline');
  writeFileSync(join(folder, 'first', 'data'), 'some');
  execFileSync('/usr/bin/mount', [
    '--bind',
    join(folder, 'first'),
    join(folder, 'second with space'),
  ]);
  expect(mounts()).toHaveLength(4);
  expect(await holdFailure(await listedDrive(card.path))).toBeNull();
  expect(mounts()).toEqual([]);
});

test('a mount in use is not torn off', async () => {
  const [place = ''] = mounted('used');
  const fd = openSync(join(place, 'open'), 'w');
  expect(await holdFailure(await listedDrive(card.path))).toMatchObject({
    ...{ code: 'unmount-failed', facts: { drive: card.path, mountPoint: place } },
  });
  expect(mounts()).toEqual([place]);
  closeSync(fd);
});

test('what was mounted over the card later is not unmounted in its place', async () => {
  const [place = ''] = mounted('covered');
  execFileSync('/usr/bin/mount', ['-t', 'tmpfs', 'none', place]);
  writeFileSync(join(place, 'precious'), 'kept');
  expect(await holdFailure(await listedDrive(card.path))).toEqual({
    code: 'unmount-failed',
    facts: { drive: card.path, mountPoint: place, cause: 'covered by another mount' },
  });
  expect(readFileSync(join(place, 'precious'), 'utf8')).toBe('kept');
  execFileSync('/usr/bin/umount', [place]);
});

test('looking at a card leaves it mounted', async () => {
  const places = mounted('seen');
  expect(await holdFailure(await listedDrive(card.path), READING)).toBeNull();
  expect(mounts()).toEqual(places);
});

test('a mount that only calls itself the card is left alone', async () => {
  const place = join(folder, 'stranger');
  mkdirSync(place);
  // As anybody can with FUSE, whose source is the word of whoever mounts it.
  execFileSync('/usr/bin/mount', ['-t', 'tmpfs', card.path, place]);
  expect(await holdFailure(await listedDrive(card.path))).toBeNull();
  expect(mounts()).toEqual([place]);
});

test('a cancelled hold unmounts nothing, and its tools end with it', async () => {
  const places = mounted('kept');
  const stopping = new AbortController();
  stopping.abort(new Error('cancelled'));
  const held = platform.hold(await listedDrive(card.path), { ...WRITING, signal: stopping.signal });
  await expect(held).rejects.toThrow('cancelled');
  expect(mounts()).toEqual(places);
});

test('a write-protect switch is told, and is no reason not to look', async () => {
  await using locked = await LoopDevice.create(MIB, { readOnly: true });
  const drive = await listedDrive(locked.path);
  expect(await holdFailure(drive)).toEqual({
    ...{ code: 'write-protected', facts: { drive: locked.path } },
  });
  expect(await holdFailure(drive, READING)).toBeNull();
});

test('a medium that was changed after the scan is not opened for writing', async () => {
  await using other = await LoopDevice.create(32 * MIB);
  const drive = await listedDrive(card.path);
  execFileSync('/usr/sbin/losetup', ['-d', card.path]);
  expect(await holdFailure(drive)).toMatchObject({ code: 'card-lost' });
  execFileSync('/usr/sbin/losetup', [card.path, other.backing]);
  expect(await holdFailure(drive)).toEqual({
    ...{ code: 'drive-changed', facts: { drive: card.path, what: 'sequence' } },
  });
  execFileSync('/usr/sbin/losetup', ['-d', card.path]);
  expect(await holdFailure({ ...drive, path: '/dev/boxwright-none' })).toEqual({
    ...{ code: 'reader-lost', facts: { drive: '/dev/boxwright-none' } },
  });
});

test('a name that means another device than the scan saw is not opened for writing', async () => {
  const own = join(folder, 'node');
  const { path } = card;
  const [major = '', minor = ''] = readFileSync(`/sys/block/${card.name}/dev`, 'utf8')
    .trim()
    .split(':');
  execFileSync('/usr/bin/mknod', [own, 'b', major, minor]);
  const drive = await listedDrive(card.path);
  expect(await holdFailure({ ...drive, path: own })).toMatchObject({ code: 'drive-changed' });
  expect(await holdFailure({ ...drive, sequence: (drive.sequence ?? 0) + 1 })).toMatchObject({
    ...{ code: 'drive-changed', facts: { drive: path, what: 'sequence' } },
  });
  expect(await holdFailure({ ...drive, size: 1 })).toMatchObject({
    ...{ code: 'drive-changed', facts: { drive: path, what: 'size' } },
  });
});

test('discarding drops what the medium held, and says so', async () => {
  writeFileSync(card.path, Buffer.alloc(MIB, 7));
  execFileSync('/usr/bin/sync', [card.path]);
  expect(readFileSync(card.backing).subarray(0, MIB).equals(Buffer.alloc(MIB, 7))).toBe(true);
  const held = await platform.hold(await listedDrive(card.path), {
    ...WRITING,
    discard: () => undefined,
  });
  expect(held.discarded).toBe(true);
  await held.release();
  expect(readFileSync(card.backing).every((byte) => byte === 0)).toBe(true);
});

test('a virtual drive is not ejected, and is given back', async () => {
  const held = await platform.hold(await listedDrive(card.path), WRITING);
  expect(await held.eject()).toBe('not-ejectable');
  closeSync(openSync(card.path, constants.O_RDWR | constants.O_EXCL));
});

test('a native SD card is ejected when it is unmounted and given back', async () => {
  const places = mounted('card');
  const held = await platform.hold(await listedDrive(card.path), READING);
  expect(mounts()).toEqual(places);
  await held.release();
  const sd: Drive = { ...(await listedDrive(card.path)), virtual: false, bus: 'sd' };
  const heldCard = await platform.hold(sd, READING);
  expect(await heldCard.eject()).toBe('ejected');
  expect(mounts()).toEqual([]);
});

test('a device that cannot be ejected is told so, and is given back', async () => {
  const usb: Drive = { ...(await listedDrive(card.path)), virtual: false, bus: 'usb' };
  const held = await platform.hold(usb, WRITING);
  await expect(held.eject()).rejects.toMatchObject({ failure: { code: 'eject-failed' } });
  closeSync(openSync(card.path, constants.O_RDWR | constants.O_EXCL));
});
