import { constants } from 'node:fs';
import { expect, test } from 'vitest';
import { failureOf } from '../../../src-core/Failure.ts';
import { MacosDevices } from '../../../src-writer/supervisor/macos/MacosDevices.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { cardDrive } from './CardDrive.ts';
import { diskutilSays, infoPlist, mediaPlist, RecordedMac, refused, said } from './RecordedMac.ts';

const forWriting = { forWriting: true };
const IOREG = 'ioreg -a -l -r -c IOMedia -d 1';
const INFO = 'diskutil info -plist disk2';

function macWith(prepare: (mac: RecordedMac) => void): { mac: RecordedMac; devices: MacosDevices } {
  const mac = new RecordedMac();
  prepare(mac);
  return { mac, devices: new MacosDevices('/opt/boxwright/', mac) };
}

async function failureOfHold(prepare: (mac: RecordedMac) => void): Promise<{
  code: string;
  facts: object;
  steps: readonly string[];
}> {
  const { mac, devices } = macWith(prepare);
  const thrown = await devices.hold(cardDrive({}), forWriting).then(
    () => expect.unreachable('it was held'),
    (cause: unknown) => cause,
  );
  return { ...failureOf(thrown), steps: mac.steps };
}

test('a card is unmounted, opened exclusively and raw, looked at again, ejected when closed', async () => {
  const { mac, devices } = macWith(() => undefined);
  const held = await devices.hold(cardDrive({}), forWriting);
  expect(mac.openFlags & constants.O_RDWR).toBe(constants.O_RDWR);
  expect(mac.openFlags & 0x20).toBe(0x20);
  expect(mac.openFlags & constants.O_NONBLOCK).toBe(constants.O_NONBLOCK);
  expect(held).toMatchObject({
    device: { kind: 'descriptor', fd: 17 },
    size: 31_914_983_424,
    logicalBlockSize: 512,
    discarded: false,
  });
  expect(await held.eject()).toBe('ejected');
  await held.release();
  expect(mac.steps).toEqual([
    'diskutil unmountDisk /dev/disk2',
    'open /dev/rdisk2',
    IOREG,
    INFO,
    'close 17',
    'diskutil eject /dev/disk2',
  ]);
});

test('to look at a card nothing is unmounted, and nothing opened for writing', async () => {
  const { mac, devices } = macWith(() => undefined);
  const held = await devices.hold(cardDrive({}), { forWriting: false });
  await held.release();
  await held.release();
  expect(mac.openFlags & (constants.O_RDWR | 0x20)).toBe(0);
  expect(mac.steps).toEqual(['open /dev/rdisk2', IOREG, INFO, 'close 17']);
});

test('only a volume that does not go by itself is forced', async () => {
  const { mac, devices } = macWith(({ answers }) => {
    answers.set('diskutil unmountDisk', [diskutilSays.dissented]);
  });
  await (await devices.hold(cardDrive({}), forWriting)).release();
  expect(mac.steps.slice(0, 3)).toEqual([
    'diskutil unmountDisk /dev/disk2',
    'diskutil unmountDisk force /dev/disk2',
    'open /dev/rdisk2',
  ]);
});

test('volumes of a made-up APFS disk go before their store', async () => {
  const { mac, devices } = macWith(() => undefined);
  const [fat] = cardDrive({}).partitions;
  const mounts = [{ path: '/Volumes/-rf old', automounted: true }];
  const apfs = fat ? [{ ...fat, fileSystem: 'apfs', mounts }] : [];
  await (await devices.hold(cardDrive({ partitions: apfs }), forWriting)).release();
  expect(mac.steps.slice(0, 2)).toEqual([
    'diskutil unmount /Volumes/-rf old',
    'diskutil unmountDisk /dev/disk2',
  ]);
});

test('a volume that stays is named, with who holds it, and nothing is opened', async () => {
  const found = await failureOfHold(({ answers }) => {
    answers.set('diskutil unmountDisk force', [diskutilSays.forceFailed]);
    answers.set('diskutil unmountDisk', [diskutilSays.dissented]);
  });
  expect(found).toMatchObject({
    code: 'unmount-failed',
    facts: { drive: '/dev/disk2', mountPoint: '/Volumes/boot' },
  });
  expect(found.steps.some((step) => step.startsWith('open'))).toBe(false);
});

test('a disk that has gone is no volume that stays', async () => {
  const found = await failureOfHold(({ answers }) => {
    answers.set('diskutil unmountDisk force', [diskutilSays.gone]);
    answers.set('diskutil unmountDisk', [diskutilSays.gone]);
  });
  expect(found.code).toBe('reader-lost');
});

/** What open(2) gives, by the dd of public reports: strerror(3) names the code. */
const openErrors: readonly [code: string, source: string, failure: string][] = [
  ['EPERM', 'raspberrypi/documentation#1579', 'permission-volume-access-refused'],
  ['EBUSY', 'raspberrypi/documentation#1366', 'drive-busy'],
  ['EACCES', 'hypriot/flash#16, a locked card', 'write-protected'],
  ['EAGAIN', 'open(2), O_EXLOCK with O_NONBLOCK', 'drive-busy'],
  ['ENXIO', 'open(2)', 'card-lost'],
  ['ENOENT', 'open(2)', 'reader-lost'],
  ['EIO', 'open(2)', 'drive-open-failed'],
];

test.each(openErrors)('%s at opening (%s) is %s', async (code, _source, failure) => {
  const found = await failureOfHold((mac) => {
    mac.openError = code;
  });
  expect(found.code).toBe(failure);
  expect(found.steps).not.toContain('close 17');
});

const lies: readonly [what: string, prepare: (mac: RecordedMac) => void, failure: object][] = [
  [
    'another medium in the slot',
    ({ answers }) => answers.set('ioreg', [said(mediaPlist('disk2', 4294970999))]),
    { code: 'drive-changed', facts: { drive: '/dev/disk2', what: 'sequence' } },
  ],
  [
    'a registry that does not know it',
    ({ answers }) => answers.set('ioreg', [said(mediaPlist('disk3', 4294970720))]),
    { code: 'drive-changed' },
  ],
  [
    'a registry that prints nothing',
    ({ answers }) => answers.set('ioreg', [refused('ioreg: error')]),
    { code: 'drive-changed' },
  ],
  [
    'another size',
    ({ answers }) => answers.set('diskutil info', [said(infoPlist({ TotalSize: 512 }))]),
    { code: 'drive-changed', facts: { drive: '/dev/disk2', what: 'size' } },
  ],
  [
    'no property list',
    ({ answers }) => answers.set('diskutil info', [said('Could not find disk: disk2')]),
    { code: 'drive-changed' },
  ],
  [
    'something that is no device',
    (mac) => {
      mac.isDevice = false;
    },
    { code: 'drive-changed', facts: { drive: '/dev/disk2', what: 'device' } },
  ],
  [
    'a medium that cannot be written',
    ({ answers }) => {
      const keys = { TotalSize: 31_914_983_424, WritableMedia: false };
      answers.set('diskutil info', [said(infoPlist(keys))]);
    },
    { code: 'write-protected' },
  ],
];

test.each(lies)('%s: refused, and closed again', async (_what, prepare, failure) => {
  const found = await failureOfHold(prepare);
  expect(found).toMatchObject(failure);
  expect(found.steps.at(-1)).toBe('close 17');
});

test('whatever the tools print, a card is held as it was or not at all', async () => {
  const seed = 20260711;
  const random = new SeededRandom(seed);
  const good = infoPlist({ TotalSize: 31_914_983_424, WritableMedia: true });
  for (let run = 0; run < 300; run++) {
    const at = random.integer(good.length);
    const damaged =
      good.slice(0, at) + String.fromCharCode(random.integer(256)) + good.slice(at + 1);
    const { mac, devices } = macWith(({ answers }) => {
      answers.set('diskutil info', [said(random.integer(2) === 0 ? damaged : good.slice(0, at))]);
    });
    const held = await devices.hold(cardDrive({}), forWriting).catch(() => null);
    const facts = { size: 31_914_983_424, logicalBlockSize: 512 };
    if (held) expect(held, `seed ${String(seed)} run ${String(run)}`).toMatchObject(facts);
    await held?.release();
    expect(mac.steps.at(-1)).toBe('close 17');
  }
});

test('ejecting is tried again while others look at the medium', async () => {
  const { mac, devices } = macWith(({ answers }) => {
    answers.set('diskutil eject', [diskutilSays.dissented, diskutilSays.ejected]);
  });
  const held = await devices.hold(cardDrive({}), forWriting);
  expect(await held.eject()).toBe('ejected');
  expect(mac.steps.slice(-4)).toEqual([
    'close 17',
    'diskutil eject /dev/disk2',
    'pause',
    'diskutil eject /dev/disk2',
  ]);
});

test('a medium that is never let go says so, closed all the same', async () => {
  const { mac, devices } = macWith(({ answers }) => {
    answers.set('diskutil eject', [diskutilSays.dissented]);
  });
  const held = await devices.hold(cardDrive({}), forWriting);
  const thrown: unknown = await held.eject().catch((cause: unknown) => cause);
  expect(failureOf(thrown)).toMatchObject({ code: 'eject-failed' });
  expect(mac.steps.filter((step) => step === 'diskutil eject /dev/disk2')).toHaveLength(5);
  expect(mac.steps.filter((step) => step === 'close 17')).toHaveLength(1);
});

test('a disk image is given back and not ejected', async () => {
  const { mac, devices } = macWith(() => undefined);
  const held = await devices.hold(cardDrive({ virtual: true }), forWriting);
  expect(await held.eject()).toBe('not-ejectable');
  expect(mac.steps.at(-1)).toBe('close 17');
});

const paths: readonly [path: string, answer: string][] = [
  ['/dev/disk4', '/dev/disk4'],
  ['/dev/rdisk4', '/dev/disk4'],
  ['/dev/disk4s1', 'drive-not-whole'],
  ['/dev/disk4s1s1', 'drive-not-whole'],
  ['/dev/null', 'drive-not-found'],
  ['/dev/../etc/disk4', 'drive-not-found'],
  ['/dev/disk4 ', 'drive-not-found'],
  ['/dev/disk4\n', 'drive-not-found'],
  ['disk4', 'drive-not-found'],
];

test.each(paths)('%j is %s', async (path, answer) => {
  const { devices } = macWith(() => undefined);
  const found = await devices.wholeDevice(path).catch((cause: unknown) => failureOf(cause).code);
  expect(found).toBe(answer);
});
