import { expect, it } from 'vitest';
import { driveLines } from '../../../src-cli/DriveLines.ts';
import type { Drive } from '../../../src-core/Drive.ts';
import type { DriveVerdict } from '../../../src-core/DriveVerdict.ts';
import { Words } from '../../../src-words/Words.ts';

const words = new Words('en');

const drive: Drive = {
  ...{ path: '/dev/sdb', name: 'sdb', label: 'Generic MassStorageClass', serial: '058F6366' },
  ...{ wwn: null, sequence: 7, slot: null, cardId: null, size: 31_914_983_424, bus: 'usb' },
  ...{ logicalBlockSize: 512, removable: true, readOnly: false, hasMedium: true, virtual: false },
  ...{ unfinished: false, uses: [], openedBy: [], contentUnread: false },
  partitions: [
    {
      ...{ name: 'sdb1', label: 'bootfs', fileSystem: 'vfat', size: 512e6, used: 60e6 },
      mounts: [{ path: '/media/ann/bootfs', automounted: true }],
    },
    { name: 'sdb2', label: null, fileSystem: null, size: 31e9, used: null, mounts: [] },
  ],
};

function textOf(given: Drive, verdict: Partial<DriveVerdict>): string[] {
  const none: DriveVerdict = { verdict: 'allowed', refusals: [], warnings: [], notes: [] };
  return driveLines(given, { ...none, ...verdict }, words).map(({ text }) => text);
}

it('tells a card from others: name, size, bus, serial, what is on it', () => {
  const notes = [{ code: 'mounted', about: '/media/ann/bootfs' }] as const;
  expect(textOf(drive, { notes })).toEqual([
    '/dev/sdb  Generic MassStorageClass',
    '  31.9 GB, USB, serial 058F6366',
    '  sdb1  bootfs, vfat, 60 MB of 512 MB used, at /media/ann/bootfs',
    '  sdb2  no label, no known file system, 31 GB',
    '  may be flashed',
    '  mounted, will be unmounted (/media/ann/bootfs)',
  ]);
});

it('says why a drive is refused or calls for a second look', () => {
  const empty: Drive = { ...drive, hasMedium: false, size: 0, serial: null, partitions: [] };
  const refusals = [{ code: 'no-medium', about: 'sdb' }] as const;
  expect(textOf(empty, { verdict: 'refused', refusals })).toEqual([
    '/dev/sdb  Generic MassStorageClass',
    '  no card, USB',
    '  refused: there is no card in it',
  ]);
  const warnings = [
    { code: 'large', about: '1000204886016' },
    { code: 'foreign-file-system', about: 'ntfs on sdb1' },
  ] as const;
  expect(textOf(drive, { verdict: 'warned', warnings })).toContain(
    '  look twice: it is unusually large for a card (1 TB); it holds what belongs to a computer, not to a box (ntfs on sdb1)',
  );
});

it('says where images made for usual sectors will not do', () => {
  const large = textOf({ ...drive, logicalBlockSize: 4096 }, {});
  expect(large[2]).toMatch(/^ {2}Its sectors have 4,096 bytes\. Most images are made for 512/);
  const none = { ...drive, logicalBlockSize: 4096, hasMedium: false };
  for (const usual of [drive, none]) {
    expect(textOf(usual, {}).join('\n')).not.toContain('sectors');
  }
});

it('shows no character of a hostile card that a terminal would obey', () => {
  const hostile = '\u001b]0;owned\u0007\u202eevil\n\u001b[2J$t(help.program){{path}}';
  const partitions = [
    {
      ...{ name: hostile, label: hostile, fileSystem: hostile, size: 1, used: 1 },
      mounts: [{ path: hostile, automounted: true }],
    },
  ];
  const given = { ...drive, path: hostile, label: hostile, serial: hostile, partitions };
  const reasons = [{ code: 'mounted-elsewhere', about: hostile }] as const;
  const lines = textOf(given, { verdict: 'warned', warnings: reasons });
  for (const line of [...lines, ...textOf({ ...given, name: hostile }, {})]) {
    expect(line).not.toMatch(/\p{Cc}|\p{Cf}/u);
  }
  expect(lines[0]).toContain('$t(help.program){{path}}');
});
