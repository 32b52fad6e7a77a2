import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Drive, Partition } from '../../../src-core/Drive.ts';
import { failureOf, type Failure } from '../../../src-core/Failure.ts';
import { resolveDriveArgument } from '../../../src-drives/DriveArgument.ts';

function drive(path: string, serial: string | null, partitions: Partition[] = []): Drive {
  return {
    path,
    name: path.replace(/^.*[/\\]/, ''),
    label: 'Generic',
    serial,
    wwn: null,
    sequence: null,
    slot: null,
    cardId: null,
    size: 9,
    logicalBlockSize: 512,
    bus: 'usb',
    removable: true,
    readOnly: false,
    hasMedium: true,
    virtual: false,
    partitions,
    uses: [],
    openedBy: [],
    contentUnread: false,
    unfinished: false,
  };
}

function partition(name: string, mountPoint: string): Partition {
  const mounts = [{ path: mountPoint, automounted: true }];
  return { name, label: null, fileSystem: null, size: 1, used: null, mounts };
}

const drives = [
  drive('/dev/sdy', 'A1', [partition('sdy1', '/media/u/BOOT')]),
  drive('/dev/sdz', 'reader'),
  drive('/dev/sdaa', 'reader'),
  drive('/dev/null', null),
  drive('/dev/disk44', null),
  drive('\\\\.\\PhysicalDrive2', 'W1', [partition('Disk 2 Partition 1', 'E:\\')]),
];

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'boxwright-argument-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('an argument that names a drive', () => {
  it.each([
    ['/dev/sdy', '/dev/sdy'],
    ['serial:A1', '/dev/sdy'],
    ['serial: A1\u200b', '/dev/sdy'],
    ['/dev/rdisk44', '/dev/disk44'],
    ['\\\\.\\PHYSICALDRIVE2', '\\\\.\\PhysicalDrive2'],
    ['\\\\?\\PhysicalDrive2', '\\\\.\\PhysicalDrive2'],
  ])('%s is %s', (argument, path) => {
    expect(resolveDriveArgument(argument, drives).path).toBe(path);
  });

  it('may be a link to it', () => {
    const link = join(folder, 'usb-Generic-0:0');
    symlinkSync('/dev/null', link);
    expect(resolveDriveArgument(link, drives).path).toBe('/dev/null');
  });
});

function refusal(argument: string): Failure {
  try {
    resolveDriveArgument(argument, drives);
  } catch (error) {
    return failureOf(error);
  }
  throw new Error(`${argument} was found`);
}

describe('an argument that names none', () => {
  it.each([
    ['/dev/sdx', 'drive-not-found'],
    ['sdy', 'drive-not-found'],
    ['', 'drive-not-found'],
    ['/dev/sdy/../sdy2x', 'drive-not-found'],
    ['serial:', 'drive-not-found'],
    ['serial:a1', 'drive-not-found'],
    ['serial:reader', 'drive-ambiguous'],
    ['/dev/sdy1', 'drive-not-whole'],
    ['/media/u/BOOT', 'drive-not-whole'],
    ['/dev/mmcblk0p1', 'drive-not-whole'],
    ['/dev/mmcblk0boot0', 'drive-not-whole'],
    ['/dev/mapper/vg-root', 'drive-not-whole'],
    ['/dev/md0', 'drive-not-whole'],
    ['/dev/disk44s1', 'drive-not-whole'],
    ['e:', 'drive-not-whole'],
    ['E:\\', 'drive-not-whole'],
  ])('%j: %s', (argument, code) => {
    expect(refusal(argument)).toMatchObject({ code, facts: { drive: argument } });
  });

  it('tells which drives it could be', () => {
    expect(refusal('serial:reader').facts).toMatchObject({ matches: '/dev/sdz, /dev/sdaa' });
  });

  it('may be a plain file, which is no drive', () => {
    const file = join(folder, 'card.img');
    writeFileSync(file, '');
    expect(refusal(file)).toEqual({ code: 'drive-is-a-file', facts: { path: file } });
  });
});
