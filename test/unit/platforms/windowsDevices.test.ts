import { expect, test } from 'vitest';
import type { Drive } from '../../../src-core/Drive.ts';
import { failureOf } from '../../../src-core/Failure.ts';
import { WindowsDevices } from '../../../src-writer/supervisor/windows/WindowsDevices.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { cardDrive } from './CardDrive.ts';
import { geometryHex, RecordedWindows, windowsSays } from './RecordedWindows.ts';

const DISK = '\\\\.\\PhysicalDrive2';
const forWriting = { forWriting: true };

function card(changes: Partial<Drive>): Drive {
  const partitions = [1, 2].map((number) => ({
    name: `Disk 2 Partition ${String(number)}`,
    label: null,
    fileSystem: 'vfat',
    size: 268_435_456,
    used: null,
    mounts: number === 2 ? [] : [{ path: 'E:\\', automounted: true }],
  }));
  return cardDrive({
    path: DISK,
    name: 'PhysicalDrive2',
    sequence: null,
    partitions,
    ...changes,
  });
}

type Prepare = (windows: RecordedWindows) => void;

function windowsWith(prepare: Prepare): { windows: RecordedWindows; devices: WindowsDevices } {
  const windows = new RecordedWindows();
  prepare(windows);
  return { windows, devices: new WindowsDevices('C:\\Boxwright\\', windows.system) };
}

async function failureOfHold(prepare: Prepare): Promise<{
  code: string;
  facts: object;
  steps: readonly string[];
}> {
  const { windows, devices } = windowsWith(prepare);
  const thrown = await devices.hold(card({}), forWriting).then(
    () => expect.unreachable('it was held'),
    (cause: unknown) => cause,
  );
  return { ...failureOf(thrown), steps: windows.steps };
}

const LOCKED = [
  `open ${DISK} to read and write`,
  `IOCTL_DISK_IS_WRITABLE ${DISK}`,
  'open Partition1 to read and write',
  'FSCTL_LOCK_VOLUME Partition1',
  'FSCTL_DISMOUNT_VOLUME Partition1',
  'open Partition2 to read and write',
  'FSCTL_LOCK_VOLUME Partition2',
  'FSCTL_DISMOUNT_VOLUME Partition2',
  `IOCTL_DISK_GET_DRIVE_GEOMETRY_EX ${DISK}`,
  'serial 2',
];

test('every volume is locked and dismounted, and stays so until the medium is out', async () => {
  const { windows, devices } = windowsWith(() => undefined);
  const held = await devices.hold(card({}), forWriting);
  expect(held).toMatchObject({
    device: { kind: 'raw-path', path: DISK },
    size: 31_914_983_424,
    logicalBlockSize: 512,
    discarded: false,
  });
  expect(windows.steps).toEqual(LOCKED);
  expect(await held.eject()).toBe('ejected');
  expect(windows.steps.slice(LOCKED.length)).toEqual([`IOCTL_STORAGE_EJECT_MEDIA ${DISK}`, 'end']);
});

test('a card that stays is looked at anew by Windows, just before its locks go', async () => {
  const { windows, devices } = windowsWith(() => undefined);
  await (await devices.hold(card({}), forWriting)).release();
  expect(windows.steps.slice(LOCKED.length)).toEqual([
    `IOCTL_DISK_UPDATE_PROPERTIES ${DISK}`,
    'end',
  ]);
});

test('to look at a card nothing is locked', async () => {
  const { windows, devices } = windowsWith(() => undefined);
  await (await devices.hold(card({}), { forWriting: false })).release();
  expect(windows.steps).toEqual([
    `open ${DISK} to read`,
    `IOCTL_DISK_GET_DRIVE_GEOMETRY_EX ${DISK}`,
    'serial 2',
    'end',
  ]);
});

test('partitions are found across gaps in their numbers', async () => {
  const { windows, devices } = windowsWith(({ partitions }) => partitions.add(9).delete(1));
  await devices.hold(card({}), forWriting);
  const locked = windows.steps.filter((step) => step.startsWith('FSCTL_LOCK_VOLUME'));
  expect(locked).toEqual(['FSCTL_LOCK_VOLUME Partition2', 'FSCTL_LOCK_VOLUME Partition9']);
});

test('a volume in use for a moment is waited for and not cut off', async () => {
  const { windows, devices } = windowsWith(({ answers }) => {
    const { denied, done } = windowsSays;
    answers.set('FSCTL_LOCK_VOLUME Partition1', [denied, denied, done]);
  });
  await devices.hold(card({}), forWriting);
  const own = windows.steps.filter((step) => /Partition1|pause/.test(step));
  expect(own).toEqual([
    'open Partition1 to read and write',
    'FSCTL_LOCK_VOLUME Partition1',
    'pause',
    'FSCTL_LOCK_VOLUME Partition1',
    'pause',
    'FSCTL_LOCK_VOLUME Partition1',
    'FSCTL_DISMOUNT_VOLUME Partition1',
  ]);
});

test('a volume that stays in use is cut off once, and then named; all handles go', async () => {
  const found = await failureOfHold(({ answers }) => {
    answers.set('FSCTL_LOCK_VOLUME Partition1', [windowsSays.denied]);
  });
  expect(found).toMatchObject({
    code: 'unmount-failed',
    facts: { drive: DISK, mountPoint: 'E:\\', cause: 'Access is denied' },
  });
  const count = (step: string): number => found.steps.filter((done) => done === step).length;
  expect(count('FSCTL_LOCK_VOLUME Partition1')).toBe(20);
  expect(count('FSCTL_DISMOUNT_VOLUME Partition1')).toBe(1);
  expect(found.steps.at(-1)).toBe('end');
});

const disk = `open ${DISK}`;
const failures: readonly [step: string, said: keyof typeof windowsSays, code: string][] = [
  [disk, 'notFound', 'reader-lost'],
  // Windows' ransomware protection: https://github.com/raspberrypi/rpi-imager/issues/525
  [disk, 'denied', 'blocked-by-protection'],
  [disk, 'sharing', 'drive-busy'],
  [disk, 'notReady', 'card-lost'],
  [disk, 'notConnected', 'reader-lost'],
  [disk, 'agentGone', 'drive-open-failed'],
  [`IOCTL_DISK_IS_WRITABLE ${DISK}`, 'writeProtected', 'write-protected'],
  [`IOCTL_DISK_IS_WRITABLE ${DISK}`, 'notReady', 'card-lost'],
  ['open Partition2', 'denied', 'blocked-by-protection'],
  ['open Partition2', 'device', 'drive-open-failed'],
  ['FSCTL_LOCK_VOLUME Partition2', 'notReady', 'card-lost'],
  ['FSCTL_LOCK_VOLUME Partition2', 'agentGone', 'drive-open-failed'],
  ['FSCTL_DISMOUNT_VOLUME Partition2', 'device', 'drive-open-failed'],
  ['geometry', 'notReady', 'card-lost'],
  ['geometry', 'agentGone', 'drive-open-failed'],
  ['serial', 'agentGone', 'drive-open-failed'],
];

test.each(failures)('%s that says %s is %s; all handles go', async (step, said, code) => {
  const found = await failureOfHold(({ answers }) => answers.set(step, [windowsSays[said]]));
  expect(found.code).toBe(code);
  expect(found.steps.at(-1)).toBe('end');
});

const lies: readonly [what: string, step: string, value: string, fact: string][] = [
  ['another size', 'geometry', geometryHex(31_914_983_936, 512), 'size'],
  ['no size', 'geometry', '', 'size'],
  ['half a size', 'geometry', geometryHex(31_914_983_424, 512).slice(0, 54), 'size'],
  ['no hex', 'geometry', 'Zm9v', 'size'],
  ['a size beyond all numbers', 'geometry', 'FF'.repeat(40), 'size'],
  ['another serial', 'serial', '000000001539', 'serial'],
  ['no serial', 'serial', '', 'serial'],
];

test.each(lies)('%s: the drive has changed; all handles go', async (_what, step, value, fact) => {
  const found = await failureOfHold(({ answers }) => answers.set(step, [{ error: 0, value }]));
  expect(found).toMatchObject({ code: 'drive-changed', facts: { drive: DISK, what: fact } });
  expect(found.steps.at(-1)).toBe('end');
});

test('a drive without a serial stays one', async () => {
  const { devices } = windowsWith(({ answers }) => {
    answers.set('serial', [{ error: 0, value: '  ' }]);
  });
  await expect(devices.hold(card({ serial: null }), forWriting)).resolves.toBeDefined();
});

test('whatever is answered, nothing is left open where it was not held', async () => {
  const seed = 20260712;
  const random = new SeededRandom(seed);
  const answers = Object.values(windowsSays);
  for (let run = 0; run < 300; run++) {
    const { windows, devices } = windowsWith((prepared) => {
      for (const [step] of failures) {
        const said = answers[random.integer(answers.length)];
        if (said && random.integer(4) === 0) prepared.answers.set(step, [said]);
      }
    });
    const held = await devices.hold(card({}), forWriting).catch(() => null);
    const ended = windows.steps.includes('end');
    expect(ended, `seed ${String(seed)} run ${String(run)}`).toBe(held === null);
  }
});

test.each(['incorrectFunction', 'notSupported'] as const)(
  'a disk whose medium cannot leave (%s) is given back',
  async (said) => {
    const { windows, devices } = windowsWith(({ answers }) => {
      answers.set(`IOCTL_STORAGE_EJECT_MEDIA ${DISK}`, [windowsSays[said]]);
    });
    const held = await devices.hold(card({}), forWriting);
    expect(await held.eject()).toBe('not-ejectable');
    expect(windows.steps.slice(-2)).toEqual([`IOCTL_DISK_UPDATE_PROPERTIES ${DISK}`, 'end']);
  },
);

test('a medium that does not leave says so; all handles go', async () => {
  const { windows, devices } = windowsWith(({ answers }) => {
    answers.set(`IOCTL_STORAGE_EJECT_MEDIA ${DISK}`, [windowsSays.device]);
  });
  const held = await devices.hold(card({}), forWriting);
  const thrown: unknown = await held.eject().catch((cause: unknown) => cause);
  expect(failureOf(thrown).code).toBe('eject-failed');
  expect(windows.steps.at(-1)).toBe('end');
});

test('a virtual disk is never asked to eject, which would detach it', async () => {
  const { windows, devices } = windowsWith(() => undefined);
  const held = await devices.hold(card({ virtual: true }), forWriting);
  expect(await held.eject()).toBe('not-ejectable');
  expect(windows.steps.join()).not.toContain('EJECT');
});

const paths: readonly [path: string, answer: string][] = [
  ['\\\\.\\PhysicalDrive12', '\\\\.\\PhysicalDrive12'],
  ['\\\\.\\E:', 'drive-not-whole'],
  ['E:\\', 'drive-not-whole'],
  ['\\\\?\\GLOBALROOT\\Device\\Harddisk2\\Partition1', 'drive-not-whole'],
  ['\\\\.\\PhysicalDrive2 c0000000', 'drive-not-whole'],
  ['\\\\.\\PhysicalDrive2\n', 'drive-not-whole'],
  ['\\\\server\\PhysicalDrive2', 'drive-not-whole'],
];

test.each(paths)('%j is %s', async (path, answer) => {
  const { devices } = windowsWith(() => undefined);
  const found = await devices.wholeDevice(path).catch((cause: unknown) => failureOf(cause).code);
  expect(found).toBe(answer);
});

test('the engine is started as it is: there is nobody to become', async () => {
  const { devices } = windowsWith(() => undefined);
  expect(await devices.engineCommand()).toEqual({
    command: [process.execPath, 'C:\\Boxwright\\engine.cjs'],
    handsFiles: false,
  });
});
