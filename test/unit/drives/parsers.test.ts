import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { classifyDrive } from '../../../src-core/DriveVerdict.ts';
import { parseBlkid } from '../../../src-drives/linux/Blkid.ts';
import { LinuxDrives, type LinuxReading } from '../../../src-drives/linux/LinuxDrives.ts';
import { parseLsblk } from '../../../src-drives/linux/Lsblk.ts';
import { mountOf, parseMountInfo, parseSwaps } from '../../../src-drives/linux/MountTable.ts';
import {
  parseDiskutilInfo,
  parseDiskutilList,
  parseRegistry,
} from '../../../src-drives/macos/Diskutil.ts';
import { MacosDrives } from '../../../src-drives/macos/MacosDrives.ts';
import { parsePlist } from '../../../src-drives/macos/Plist.ts';
import { parseStorageReading } from '../../../src-drives/windows/StorageReading.ts';
import { WindowsDrives } from '../../../src-drives/windows/WindowsDrives.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { damaged } from './DamagedText.ts';
import { propertyList, recordedMachines } from './RecordedMachine.ts';

const SEED = Number(process.env['BOXWRIGHT_TEST_SEED'] ?? 20_260_101);
const ROUNDS = 40;

const machines = recordedMachines().map(([, machine]) => machine);
const lsblkTexts = machines.flatMap((machine) =>
  machine.platform === 'linux' ? [JSON.stringify(machine.lsblk)] : [],
);
const listTexts = machines.flatMap((machine) =>
  machine.platform === 'macos' ? [propertyList(machine.diskutilList)] : [],
);
const storageTexts = machines.flatMap((machine) =>
  machine.platform === 'windows' ? [JSON.stringify(machine.storage)] : [],
);

function linuxDrives(text: string, reading: Partial<LinuxReading> = {}) {
  return new LinuxDrives({
    lsblk: parseLsblk(text),
    probed: new Map(),
    sysDevices: [],
    btrfsMembers: [],
    mounts: [],
    swaps: [],
    keptFiles: [],
    pathKinds: new Map(),
    ...reading,
  }).drives();
}

function macosDrives(text: string) {
  const disks = parseDiskutilList(text) ?? [];
  return new MacosDrives({ disks, infos: new Map(), registry: new Map(), keptFiles: [] }).drives();
}

function windowsDrives(text: string) {
  const reading = parseStorageReading(text);
  return reading === null ? [] : new WindowsDrives(reading, []).drives();
}

const readers = [
  ['lsblk', lsblkTexts, linuxDrives],
  ['diskutil', listTexts, macosDrives],
  ['PowerShell', storageTexts, windowsDrives],
] as const;

describe.each(readers)('output of %s', (_, texts, read) => {
  it('is either read or not, wherever it is cut', () => {
    for (const text of texts) {
      for (let end = 0; end < text.length - 2; end += 61) {
        expect(read(text.slice(0, end))).toEqual([]);
      }
      expect(read(text).length).toBeGreaterThan(0);
    }
  });

  it(`keeps its form when it is damaged at random (seed ${String(SEED)})`, () => {
    const random = new SeededRandom(SEED);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const text of texts) {
        for (const drive of read(damaged(text, random))) {
          expect(drive.label).toMatch(/^\P{C}+$/u);
          expect(drive.size).toSatisfy(Number.isSafeInteger);
          expect(drive.size).toBeGreaterThanOrEqual(0);
          expect(drive.hasMedium).toBe(drive.size > 0);
          classifyDrive(drive, { imageSize: null, allowVirtual: true });
        }
      }
    }
  });
});

describe('hostile names', () => {
  const nasty = '\u202eSD\u0007 card\u2066 \u200b';

  it('are cleaned of control and bidirectional characters', () => {
    const [drive] = linuxDrives(
      JSON.stringify({
        blockdevices: [
          {
            name: 'sdb',
            type: 'disk',
            size: 1e9,
            tran: 'usb',
            rm: true,
            vendor: nasty,
            model: 'x'.repeat(1e6),
            serial: `7${nasty}`,
            children: [{ name: 'sdb1', type: 'part', size: 1, label: nasty, fstype: nasty }],
          },
        ],
      }),
    );
    expect(drive?.label).toHaveLength(128);
    expect(drive?.label.startsWith('SD card xxx')).toBe(true);
    expect(drive?.serial).toBe('7 SD card');
    expect(drive?.partitions[0]).toMatchObject({ label: 'SD card', fileSystem: 'SD card' });
  });

  it('leave the name of the kernel where nothing else is left', () => {
    const text = JSON.stringify({
      blockdevices: [{ name: 'sdb', type: 'disk', size: 1, vendor: '\u200b', model: '\u2800' }],
    });
    expect(linuxDrives(text)[0]?.label).toBe('sdb');
  });
});

describe('lsblk', () => {
  it('that lies on itself ends', () => {
    const ring = ['sda', 'dm-0', 'dm-1', 'sda'];
    const devices = ring.slice(0, 3).map((name, index) => ({
      name,
      type: index === 0 ? 'disk' : 'lvm',
      size: 1e9,
      mountpoint: index === 2 ? '/' : null,
      children: [{ name: ring[index + 1], type: 'lvm', size: 1e9 }],
    }));
    const drives = linuxDrives(JSON.stringify({ blockdevices: devices }), {
      sysDevices: [],
    });
    expect(drives.map(({ name }) => name)).not.toContain('dm-0');
  });

  it('is read to a bounded depth and a bounded number of devices', () => {
    type Nested = { name: string; size: number; children?: Nested[] };
    let deep: Nested = { name: 'bottom', size: 1 };
    for (let level = 0; level < 500; level += 1) {
      deep = { name: `d${String(level)}`, size: 1, children: [deep] };
    }
    expect(parseLsblk(JSON.stringify({ blockdevices: [deep] }))?.devices.size).toBeLessThan(64);
    const many = Array.from({ length: 20_000 }, (_, index) => ({ name: `n${String(index)}` }));
    expect(parseLsblk(JSON.stringify({ blockdevices: many }))?.devices.size).toBe(8192);
  });

  it.each(['', 'null', '[]', '7', '"x"', '{"blockdevices":null}', '{"blockdevices":[null,7,[]]}'])(
    'that printed %j shows no drive',
    (text) => {
      expect(linuxDrives(text)).toEqual([]);
    },
  );

  it('may quote numbers and flags, and name one or several mount points', () => {
    const device = {
      name: 'sdb',
      size: '1000',
      ro: '1',
      rm: '0',
      mountpoint: '/a',
      mountpoints: ['/a', null, '/b'],
    };
    const reading = parseLsblk(JSON.stringify({ blockdevices: [device] }));
    expect(reading?.devices.get('sdb')).toMatchObject({
      size: 1000,
      readOnly: true,
      removable: false,
      mountPoints: ['/a', '/b'],
    });
  });
});

describe('blkid', () => {
  it('tells file systems and labels by device, blanks escaped', () => {
    const text =
      'DEVNAME=/dev/loop4\nLABEL=BW-UNFINISHED\nTYPE=swap\n\n' +
      'DEVNAME=/dev/sdb1\nLABEL=My\\ Card\\$\nTYPE=vfat\ngarbage\n\nTYPE=ext4\n\nDEVNAME=/dev/sdc\n';
    expect([...parseBlkid(text)]).toEqual([
      ['/dev/loop4', { fileSystem: 'swap', label: 'BW-UNFINISHED' }],
      ['/dev/sdb1', { fileSystem: 'vfat', label: 'My Card$' }],
      ['/dev/sdc', { fileSystem: null, label: null }],
    ]);
    expect(parseBlkid('').size).toBe(0);
  });
});

describe('the tables of /proc', () => {
  it('are read with their escapes; lines of another form are left out', () => {
    const text = [
      '36 35 8:17 / /media/u/My\\040Card\\134 rw,noatime shared:1 master:2 - vfat /dev/sdb1 rw',
      '',
      'garbage',
      '36 35 x:y / /a rw - ext4 /dev/sda1 rw',
      '36 35 8:1 / relative rw - ext4 /dev/sda1 rw',
      '36 35 8:1 / /cut rw,noatime',
    ].join('\n');
    expect(parseMountInfo(text)).toEqual([
      {
        number: '8:17',
        path: '/media/u/My Card\\',
        fileSystem: 'vfat',
        source: '/dev/sdb1',
        options: ['rw'],
      },
    ]);
    expect(parseSwaps('Filename Type\n/swap\\040file file 1 2 3\nnone\n')).toEqual([
      { path: '/swap file' },
    ]);
  });

  it('tell the mount that a file lies on: the longest, and of two the later', () => {
    const line = (path: string, device: string) => `1 1 8:1 / ${path} rw - ext4 ${device} rw`;
    const mounts = parseMountInfo(
      [line('/', 'a'), line('/mnt', 'b'), line('/mnt', 'c'), line('/mnt/x', 'd')].join('\n'),
    );
    expect(mountOf('/mnt/file', mounts)?.source).toBe('c');
    expect(mountOf('/mnt/x/y', mounts)?.source).toBe('d');
    expect(mountOf('/mntx', mounts)?.source).toBe('a');
    expect(mountOf('/any', [])).toBeNull();
  });
});

describe('property lists', () => {
  it('are read in full', () => {
    const text = `<?xml version="1.0"?><!DOCTYPE plist PUBLIC "x" "y"><plist version="1.0"><dict>
      <key>a&amp;b</key><string>&lt;\u00e9&#x41;&#66;&unknown;</string><key>n</key><integer>-7</integer>
      <key>r</key><real>0.5</real><key>t</key><true/><key>f</key><false/><key>e</key><string/>
      <key>d</key><data>AA==</data><key>l</key><array><array/><dict/></array></dict></plist>`;
    expect(parsePlist(text)).toEqual(
      new Map<string, unknown>([
        ['a&b', '<éAB&unknown;'],
        ['n', -7],
        ['r', 0.5],
        ['t', true],
        ['f', false],
        ['e', ''],
        ['d', 'AA=='],
        ['l', [[], new Map()]],
      ]),
    );
  });

  it.each([
    '',
    '<plist>',
    '<plist><dict><key>a</key></dict></plist>',
    '<plist><dict><string>a</string></dict></plist>',
    '<plist><array><string>a</array></plist>',
    '<plist><string>a<b/></string></plist>',
    '<plist><integer>many</integer></plist>',
    '<plist><script>alert(1)</script></plist>',
    `<plist>${'<array>'.repeat(100_000)}`,
  ])('that are none read as nothing: %.60s', (text) => {
    expect(parsePlist(text)).toBeNull();
    expect(parseDiskutilList(text)).toBeNull();
    expect(parseDiskutilInfo(text)).toBeNull();
    expect(parseRegistry(text).size).toBe(0);
  });

  it('of the I/O registry give the serial of the USB device above a medium', () => {
    const fixture = join(import.meta.dirname, 'ioreg-usb.plist');
    expect([...parseRegistry(readFileSync(fixture, 'utf8'))]).toEqual([
      ['disk4', { entryId: 4_294_970_044, usbSerial: '4C530001061022116321' }],
    ]);
  });
});
