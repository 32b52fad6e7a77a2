import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Drive, DriveUse } from '../../../src-core/Drive.ts';
import { classifyDrive } from '../../../src-core/DriveVerdict.ts';
import { failureOf } from '../../../src-core/Failure.ts';
import { isAutomounted, useOfMount } from '../../../src-drives/linux/MountPlace.ts';
import { slotOf } from '../../../src-drives/linux/LinuxBus.ts';
import { scanLinux, type LinuxMachine } from '../../../src-drives/linux/scanLinux.ts';
import type { ScanOptions } from '../../../src-drives/ScanOptions.ts';
import type { ToolCaller, ToolOutcome } from '../../../src-drives/ToolRunner.ts';
import { layOut } from './RecordedMachine.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'boxwright-linux-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const nothingKept: ScanOptions = { program: [], image: [], cache: null };
const usbPath = '/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:';

interface Recording {
  readonly lsblk?: unknown;
  readonly sysfs?: Record<string, Record<string, string>>;
  readonly sysfsFiles?: Record<string, string>;
  readonly mountinfo?: string[];
  readonly swaps?: string[];
}

/** A stick with two partitions, as sysfs alone shows it. */
const stick: Record<string, Record<string, string>> = {
  sdb: {
    path: `${usbPath}0/block/sdb`,
    dev: '8:16',
    size: '62333952',
    ro: '0',
    removable: '1',
    diskseq: '42',
    'queue/logical_block_size': '512',
    'device/vendor': 'Generic ',
    'device/model': 'MassStorageClass',
    'device/type': '0',
  },
  sdb1: { path: `${usbPath}0/block/sdb/sdb1`, dev: '8:17', size: '524288', partition: '1' },
  sdb2: { path: `${usbPath}0/block/sdb/sdb2`, dev: '8:18', size: '61800000', partition: '2' },
};
const stickFiles = {
  '/devices/pci0000:00/0000:00:14.0/usb1/1-2/idVendor': '05e3',
  '/devices/pci0000:00/0000:00:14.0/usb1/1-2/serial': '000000001532',
};

async function scan(
  recording: Recording,
  options: ScanOptions = nothingKept,
  machine: Partial<LinuxMachine> = {},
): Promise<Drive[]> {
  const roots = layOut(
    {
      platform: 'linux',
      machine: 'test',
      source: 'test',
      transcribed: 'test',
      expected: {},
      lsblk: null,
      sysfs: recording.sysfs ?? stick,
      sysfsFiles: recording.sysfsFiles ?? stickFiles,
      mountinfo: recording.mountinfo ?? [],
      swaps: recording.swaps ?? [],
    },
    root,
  );
  return scanLinux(options, {
    ...roots,
    callTool: ({ tool }) =>
      Promise.resolve(
        recording.lsblk === undefined || !tool.some((path) => path.endsWith('/lsblk'))
          ? { kind: 'missing' }
          : { kind: 'ended', exitCode: 0, printed: JSON.stringify(recording.lsblk) },
      ),
    realPath: (path) => Promise.resolve(path),
    usedSpace: () => Promise.resolve(1000),
    lookAtPath: () => Promise.resolve(null),
    ...machine,
  });
}

async function usesOf(recording: Recording, options?: ScanOptions): Promise<readonly DriveUse[]> {
  const drives = await scan(recording, options);
  return drives.flatMap(({ uses }) => uses);
}

describe('without lsblk', () => {
  it('a drive is read from sysfs alone', async () => {
    expect(await scan({ mountinfo: ['1 1 8:17 / /media/u/BOOT rw - vfat /dev/sdb1 rw'] })).toEqual([
      {
        path: '/dev/sdb',
        name: 'sdb',
        label: 'Generic MassStorageClass',
        serial: '000000001532',
        wwn: null,
        sequence: 42,
        slot: 'pci-0000:00:14.0-usb-0:2:1.0-scsi-0:0:0:0',
        cardId: null,
        size: 31_914_983_424,
        logicalBlockSize: 512,
        bus: 'usb',
        removable: true,
        readOnly: false,
        hasMedium: true,
        virtual: false,
        partitions: [
          {
            name: 'sdb1',
            label: null,
            fileSystem: null,
            size: 268_435_456,
            used: 1000,
            mounts: [{ path: '/media/u/BOOT', automounted: true }],
          },
          {
            name: 'sdb2',
            label: null,
            fileSystem: null,
            size: 31_641_600_000,
            used: null,
            mounts: [],
          },
        ],
        uses: [],
        openedBy: [],
        contentUnread: false,
        unfinished: false,
      },
    ]);
  });

  it('and without sysfs there is no list', async () => {
    const thrown: unknown = await scan({ sysfs: {}, sysfsFiles: {} }).catch(
      (error: unknown) => error,
    );
    expect(failureOf(thrown).code).toBe('drive-list-unavailable');
  });

  it('the slots of one reader keep apart', async () => {
    const sysfs = Object.fromEntries(
      ['sdb', 'sdc'].map((name, lun) => [
        name,
        { path: `${usbPath}${String(lun)}/block/${name}`, size: '0', removable: '1' },
      ]),
    );
    const drives = await scan({ sysfs });
    expect(drives.map(({ slot }) => slot)).toEqual([
      'pci-0000:00:14.0-usb-0:2:1.0-scsi-0:0:0:0',
      'pci-0000:00:14.0-usb-0:2:1.0-scsi-0:0:0:1',
    ]);
    expect(drives.map(({ hasMedium }) => hasMedium)).toEqual([false, false]);
    expect(new Set(drives.map(({ serial }) => serial))).toEqual(new Set(['000000001532']));
  });
});

describe('a dead device', () => {
  it('does not hold the scan: its file system never says how full it is', async () => {
    const drives = await scan(
      { mountinfo: ['1 1 8:17 / /media/u/BOOT rw - vfat /dev/sdb1 rw'] },
      nothingKept,
      { usedSpace: () => new Promise(() => undefined) },
    );
    expect(drives[0]?.partitions[0]?.used).toBeNull();
  });
});

describe('the files of the program, the image and the cache', () => {
  const options: ScanOptions = {
    program: ['/opt/boxwright/boxwright.mjs'],
    image: ['/data/pi.img.xz'],
    cache: '/home/u/.cache/boxwright',
  };
  const through = ['sdb2'];
  const everything: DriveUse[] = [
    { kind: 'program', what: '/opt/boxwright/boxwright.mjs', through },
    { kind: 'image', what: '/data/pi.img.xz', through },
    { kind: 'cache', what: '/home/u/.cache/boxwright', through },
  ];

  it.each([
    ['ext4', ['1 1 8:18 / / rw - ext4 /dev/root rw']],
    ['btrfs, with an anonymous device number', ['1 1 0:25 /@ / rw - btrfs /dev/sdb2 rw,subvol=/@']],
    [
      'an overlay',
      [
        '1 1 8:18 / /lower rw - ext4 /dev/sdb2 rw',
        '2 1 0:30 / / rw - overlay overlay rw,lowerdir=/lower/a:/lower/b,upperdir=/run/up',
        '3 1 0:31 / /run rw - tmpfs tmpfs rw',
      ],
    ],
  ])('are found on %s', async (_, mountinfo) => {
    const uses = await usesOf({ mountinfo }, options);
    expect(uses).toEqual(expect.arrayContaining(everything));
  });

  it('are found on every member of a btrfs of several', async () => {
    const sysfs = {
      ...stick,
      sdc: { path: `${usbPath}1/block/sdc`, size: '62333952', dev: '8:32' },
    };
    const sysfsFiles = {
      ...stickFiles,
      '/fs/btrfs/4a2fc3ef/devices/sdb2/size': '1',
      '/fs/btrfs/4a2fc3ef/devices/sdc/size': '1',
    };
    const mountinfo = ['1 1 0:25 / / rw - btrfs /dev/root rw'];
    const drives = await scan({ sysfs, sysfsFiles, mountinfo }, options);
    for (const drive of drives) {
      expect(drive.uses.map(({ kind }) => kind)).toEqual(['root', 'program', 'image', 'cache']);
    }
  });

  it('that are not there yet count for the folder they will lie in', async () => {
    const machine = {
      realPath: (path: string) => Promise.resolve(path.startsWith('/home/u/.cache') ? null : path),
    };
    const mountinfo = ['1 1 8:17 / /home/u rw - ext4 /dev/sdb1 rw'];
    const [drive] = await scan({ mountinfo }, { ...options, program: [], image: [] }, machine);
    expect(drive?.uses).toContainEqual({
      kind: 'cache',
      what: '/home/u/.cache/boxwright',
      through: ['sdb1'],
    });
  });

  it('elsewhere are no use of the drive', async () => {
    const mountinfo = [
      '1 1 0:3 / / rw - tmpfs tmpfs rw',
      '1 1 8:18 / /media/u/x rw - ext4 /dev/sdb2 rw',
    ];
    expect(await usesOf({ mountinfo }, options)).toEqual([]);
  });
});

describe('what the system needs', () => {
  const stack = {
    ...stick,
    md0: { path: '/devices/virtual/block/md0', dev: '9:0', size: '1000', 'slaves/sdb2/x': '' },
    'dm-0': {
      path: '/devices/virtual/block/dm-0',
      dev: '254:0',
      size: '1000',
      'dm/name': 'vg-swap',
      'slaves/md0/x': '',
    },
  };

  it('is followed through RAID and LVM by the links of the kernel', async () => {
    expect(
      await usesOf({
        sysfs: stack,
        mountinfo: ['1 1 9:0 / /boot rw - ext4 /dev/md0 rw'],
        swaps: ['/dev/dm-0 partition 1 0 -2'],
      }),
    ).toEqual([
      { kind: 'boot', what: '/boot', through: ['sdb2', 'md0'] },
      { kind: 'swap', what: '/dev/dm-0', through: ['sdb2', 'md0', 'vg-swap'] },
    ]);
  });

  it('ends where devices lie on each other in a ring', async () => {
    const ring = {
      ...stick,
      'dm-0': {
        path: '/devices/virtual/block/dm-0',
        dev: '254:0',
        size: '1',
        'slaves/dm-1/x': '',
        'slaves/sdb1/x': '',
      },
      'dm-1': { path: '/devices/virtual/block/dm-1', dev: '254:1', size: '1', 'slaves/dm-0/x': '' },
    };
    const mountinfo = ['1 1 254:1 / / rw - ext4 /dev/dm-1 rw'];
    expect(await usesOf({ sysfs: ring, mountinfo })).toEqual([
      { kind: 'root', what: '/', through: ['sdb1', 'dm-0', 'dm-1'] },
    ]);
  });

  it('includes a swap file', async () => {
    const mountinfo = ['1 1 8:17 / /media/u/x rw - ext4 /dev/sdb1 rw'];
    const swaps = ['/media/u/x/swap\\040file file 1 0 -2'];
    expect(await usesOf({ mountinfo, swaps })).toEqual([
      { kind: 'swap', what: '/media/u/x/swap file', through: ['sdb1'] },
    ]);
  });

  it('includes what a mounted image file in it carries', async () => {
    const sysfs = {
      ...stick,
      loop3: {
        path: '/devices/virtual/block/loop3',
        dev: '7:3',
        size: '1000',
        'loop/backing_file': '/media/u/x/root.img',
      },
    };
    const mountinfo = [
      '1 1 8:17 / /media/u/x rw - ext4 /dev/sdb1 rw',
      '2 1 7:3 / /usr rw - ext4 /dev/loop3 rw',
    ];
    const [loop, drive] = await scan({ sysfs, mountinfo });
    expect(loop?.uses).toEqual([{ kind: 'system', what: '/usr', through: [] }]);
    expect(drive?.uses).toEqual([{ kind: 'system', what: '/usr', through: ['sdb1', 'loop3'] }]);
    expect(drive?.openedBy).toEqual(['loop3']);
  });

  it.each([
    ['/', 'root'],
    ['/boot', 'boot'],
    ['/boot/efi', 'boot'],
    ['/boot2', 'boot'],
    ['/efi', 'boot'],
    ['/usr/local', 'system'],
    ['/var/lib/docker', 'system'],
    ['/home', 'system'],
    ['/home/pi', 'system'],
    ['/etc/hosts', 'system'],
    ['/home/pi/mnt/card', null],
    ['/mnt', null],
    ['/mnt/data', null],
    ['/media/pi/BOOT', null],
    ['/run/media/pi/boot', null],
    ['/var/mnt/x', null],
    ['/usrlocal', null],
    ['/efi2', null],
  ])('%s: %s', (path, kind) => {
    expect(useOfMount(path)).toBe(kind);
  });

  it.each([
    ['/media/u/BOOT', true],
    ['/run/media/u/BOOT', true],
    ['/media/usb1', true],
    ['/media', false],
    ['/run/media', false],
    ['/mnt/data', false],
    ['/mnt/media/x', false],
  ])('%s is mounted by a desktop: %s', (path, automounted) => {
    expect(isAutomounted(path)).toBe(automounted);
  });
});

describe('a loop device on a block device', () => {
  const loopOn = (behind: string) => ({
    ...stick,
    loop3: {
      path: '/devices/virtual/block/loop3',
      dev: '7:3',
      size: '1000',
      'loop/backing_file': behind,
    },
    loop3p1: { path: '/devices/virtual/block/loop3/loop3p1', dev: '259:1', partition: '1' },
  });
  const dev = '9 1 0:6 / /dev rw - devtmpfs devtmpfs rw';
  const usb = (drives: readonly Drive[]) => drives.find(({ name }) => name === 'sdb');
  const at = (path: string) => [dev, `1 1 259:1 / ${path} rw - ext4 /dev/loop3p1 rw`];

  it.each([
    ['/dev/sdb', '/boot-x', { kind: 'boot', what: '/boot-x', through: ['loop3', 'loop3p1'] }],
    ['/dev/sdb2', '/usr', { kind: 'system', what: '/usr', through: ['sdb2', 'loop3', 'loop3p1'] }],
    ['/dev/sdb', '/mnt', { kind: 'system', what: '/mnt', through: ['loop3', 'loop3p1'] }],
    // Set up in a container, whose /dev the kernel shows without its mount point.
    ['/sdb', '/mnt', { kind: 'system', what: '/mnt', through: ['loop3', 'loop3p1'] }],
  ])('%s, mounted at %s, is a use of the drive', async (behind, place, use) => {
    const drives = await scan({ sysfs: loopOn(behind), mountinfo: at(place) });
    expect(usb(drives)?.uses).toEqual([use]);
  });

  it('is followed by the number of a node with another name', async () => {
    const drives = await scan(
      { sysfs: loopOn('/root/node'), mountinfo: at('/boot') },
      nothingKept,
      {
        lookAtPath: () => Promise.resolve({ blockNumber: '8:16' }),
      },
    );
    expect(usb(drives)?.uses.map(({ kind }) => kind)).toEqual(['boot']);
  });

  it('holds the drive open where nothing is mounted', async () => {
    const drives = await scan({ sysfs: loopOn('/dev/sdb'), mountinfo: [dev] });
    expect(usb(drives)).toMatchObject({ uses: [], openedBy: ['loop3'] });
  });

  it.each(['/dev/odd', '/dev/odd (deleted)'])('%s may be any drive', async (behind) => {
    const drives = await scan({ sysfs: loopOn(behind), mountinfo: [dev] });
    expect(usb(drives)?.uses).toEqual([{ kind: 'system', what: behind, through: [] }]);
  });

  it.each(['/dev/sdq (deleted)', '/dev/mmcblk0p1 (deleted)', '/dev/shm/x.img'])(
    '%s is on no drive that is there',
    async (behind) => {
      const mountinfo = [dev, '8 1 0:23 / /dev/shm rw - tmpfs tmpfs rw'];
      const drives = await scan({ sysfs: loopOn(behind), mountinfo });
      expect(usb(drives)).toMatchObject({ uses: [], openedBy: [] });
    },
  );
});

describe('the source of a mount', () => {
  const spoof = (fileSystem: string, source: string, options = 'rw') => ({
    mountinfo: [`1 1 0:50 / /home/u rw - ${fileSystem} ${source} ${options}`],
    lsblk: { blockdevices: [{ name: 'sdb', type: 'disk', mountpoint: '/home/u' }] },
  });

  it.each([
    ['fuse.sshfs', '/dev/sdb', 'rw,user_id=1000,group_id=1000'],
    ['fuse', '/dev/sdb1', 'rw,user_id=1000'],
    ['fuse.x', '/dev/sdb', 'rw'],
    ['nfs4', 'host:/dev/sdb'],
    ['tmpfs', '/dev/sdb'],
    ['overlay', '/dev/sdb'],
  ])('%s is not believed: %s', async (fileSystem, source, options?: string) => {
    const [drive] = await scan(spoof(fileSystem, source, options));
    expect(drive).toMatchObject({ uses: [] });
    expect(drive?.partitions.flatMap(({ mounts }) => mounts)).toEqual([]);
  });

  it.each([
    ['btrfs', '/dev/sdb2', 'rw'],
    ['bcachefs', '/dev/sdb1:/dev/sdb2', 'rw'],
    ['fuse.fuse2fs', '/dev/sdb1', 'rw,user_id=0,group_id=0'],
  ])('%s is believed: %s', async (...mount) => {
    expect((await usesOf(spoof(...mount))).map(({ kind }) => kind)).toContain('system');
  });

  it('of fuseblk counts by its number', async () => {
    const mountinfo = ['1 1 8:18 / /home/u rw - fuseblk /dev/other rw,user_id=0'];
    expect((await usesOf({ mountinfo })).map(({ through }) => through)).toEqual([['sdb2']]);
  });

  it('of a number above 0 that sysfs does not show is the next best', async () => {
    const mountinfo = ['1 1 253:9 / / rw - ext4 /dev/sdb2 rw'];
    expect((await usesOf({ mountinfo })).map(({ kind }) => kind)).toEqual(['root']);
  });

  it('does not hide what a folder covered by FUSE lies on', async () => {
    const mountinfo = [
      '1 1 8:17 / /mnt/u rw - ext4 /dev/sdb1 rw',
      '2 1 0:50 / /mnt/u rw - fuse.x x rw,user_id=1000',
    ];
    const swaps = ['/mnt/u/swap file 1 0 -2'];
    expect((await usesOf({ mountinfo, swaps })).map(({ kind }) => kind)).toEqual(['swap']);
  });
});

describe('what cannot be read', () => {
  const slaves = '/devices/virtual/block/dm-0/slaves';
  const backing = '/devices/virtual/block/loop3/loop/backing_file';
  const sysfs = {
    ...stick,
    'dm-0': { path: '/devices/virtual/block/dm-0', dev: '254:0', size: '1' },
    loop3: { path: '/devices/virtual/block/loop3', dev: '7:3', size: '1', 'loop/offset': '0' },
  };
  const replaced = (path: string) => {
    rmSync(path, { recursive: true, force: true });
    symlinkSync(path, path);
  };
  const codeAfter = async (spoil: () => void): Promise<string> => {
    const spoiling: ToolCaller = () => {
      spoil();
      return Promise.resolve({ kind: 'missing' });
    };
    // lsblk is asked before anything of the kernel is read.
    return scan({ sysfs }, nothingKept, { callTool: spoiling }).then(
      () => 'listed',
      (error: unknown) => failureOf(error).code,
    );
  };

  it.each([
    'proc/self/mountinfo',
    'proc/1/mountinfo',
    'proc/swaps',
    `sys${slaves}`,
    `sys${backing}`,
    'sys/class/block',
    'sys/class/block/sdb',
  ])('%s: no list', async (path) => {
    const code = await codeAfter(() => {
      mkdirSync(join(root, 'proc/1'), { recursive: true });
      replaced(join(root, path));
    });
    expect(code).toBe('drive-list-unavailable');
  });

  it('a mount table that is not there: no list', async () => {
    const code = await codeAfter(() => {
      rmSync(join(root, 'proc/self/mountinfo'), { force: true });
    });
    expect(code).toBe('drive-list-unavailable');
  });

  it.each(['proc/swaps', `sys${slaves}`])('%s may be missing', async (path) => {
    const code = await codeAfter(() => {
      rmSync(join(root, path), { recursive: true, force: true });
    });
    expect(code).toBe('listed');
  });
});

describe('where no udev runs', () => {
  const other = {
    sdc: { ...stick['sdb'], path: `${usbPath}1/block/sdc`, dev: '8:32' },
    sdc1: { path: `${usbPath}1/block/sdc/sdc1`, dev: '8:33', size: '1024', partition: '1' },
  };
  const luks: ToolOutcome = {
    kind: 'ended',
    exitCode: 0,
    printed: 'DEVNAME=/dev/sdc1\nTYPE=crypto_LUKS\n',
  };
  // As a dead drive does, sdb gives the outcome to whoever asks for it, alone or with others.
  const warnedOf = async (sdb: ToolOutcome) => {
    const asked: ToolCaller = ({ tool, arguments: words }) =>
      Promise.resolve(
        tool.some((path) => path.endsWith('/lsblk'))
          ? { kind: 'missing' }
          : words.includes('/dev/sdb')
            ? sdb
            : luks,
      );
    const drives = await scan({ sysfs: { ...stick, ...other } }, nothingKept, { callTool: asked });
    return drives.map((drive) => {
      const { verdict, warnings } = classifyDrive(drive, { imageSize: null, allowVirtual: false });
      return [drive.name, verdict, ...warnings.map(({ code, about }) => `${code} ${about}`)];
    });
  };
  const told = ['sdc', 'warned', 'foreign-file-system crypto_LUKS on sdc1'];

  it.each<ToolOutcome>([
    { kind: 'unanswered' },
    { kind: 'ended', exitCode: 4, printed: '' },
    { kind: 'ended', exitCode: 4, printed: 'DEVNAME=/dev/sdb1\nTYPE=vfat\n' },
  ])('a drive that does not tell its content is warned of, alone: %j', async (outcome) => {
    expect(await warnedOf(outcome)).toEqual([['sdb', 'warned', 'content-unread sdb'], told]);
  });

  it.each<ToolOutcome>([
    { kind: 'missing' },
    { kind: 'ended', exitCode: 2, printed: '' },
    { kind: 'ended', exitCode: 0, printed: '' },
    { kind: 'ended', exitCode: 0, printed: 'DEVNAME=/dev/sdb1\nTYPE=vfat\n' },
  ])('a drive that holds nothing, or what a card holds, is not: %j', async (outcome) => {
    expect(await warnedOf(outcome)).toEqual([['sdb', 'allowed'], told]);
  });

  it('drives beyond those that are asked count as unread', async () => {
    const sysfs = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [
        `zram${String(index)}`,
        { path: `/devices/virtual/block/zram${String(index)}`, size: '8' },
      ]),
    );
    let asked = 0;
    const blank: ToolCaller = () => {
      asked += 1;
      return Promise.resolve({ kind: 'ended', exitCode: 2, printed: '' });
    };
    const drives = await scan({ sysfs }, nothingKept, { callTool: blank });
    expect(drives).toHaveLength(300);
    expect(drives.filter(({ contentUnread }) => contentUnread)).toHaveLength(301 - asked);
  });
});

describe('open files', () => {
  function holds(process: string, program: string, links: Record<string, string>): void {
    const folder = join(root, 'proc', process);
    mkdirSync(join(folder, 'fd'), { recursive: true });
    writeFileSync(join(folder, 'comm'), `${program}\n`);
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(folder, name));
  }

  it('name the programs, once each, and not this one', async () => {
    holds('10', 'vlc\u202e', { 'fd/3': '/media/u/BOOT/film', 'fd/4': '/media/u/BOOT/film2' });
    holds('11', 'bash', { cwd: '/media/u/BOOT' });
    holds('12', 'dd', { 'fd/1': '/dev/sdb' });
    holds('13', 'other', { 'fd/1': '/media/u/BOOTH/x', cwd: '/', exe: '/usr/bin/other' });
    holds('14', '(udev-worker)', { 'fd/9': '/dev/sdb' });
    holds(String(process.pid), 'self', { cwd: '/media/u/BOOT' });
    const [drive] = await scan({ mountinfo: ['1 1 8:17 / /media/u/BOOT rw - vfat /dev/sdb1 rw'] });
    expect(drive?.openedBy).toEqual(['bash', 'dd', 'vlc']);
  });
});

describe('an unfinished card', () => {
  it('shows as a swap area with the label of the marker, and as empty', async () => {
    const listed = { name: 'sdb', type: 'disk', size: 1e9, fstype: 'swap', label: 'BW-UNFINISHED' };
    const { sdb = {} } = stick;
    const [drive] = await scan({ sysfs: { sdb }, lsblk: { blockdevices: [listed] } });
    expect(drive).toMatchObject({ unfinished: true, partitions: [] });
  });

  it.each([
    { fstype: 'ext4', label: 'BW-UNFINISHED' },
    { fstype: 'swap', label: 'swap' },
  ])('is none with %j', async (content) => {
    const listed = { name: 'sdb', type: 'disk', size: 1e9, ...content };
    const [drive] = await scan({ lsblk: { blockdevices: [listed] } });
    expect(drive?.unfinished).toBe(false);
  });
});

describe('slots', () => {
  it.each([
    [
      '/devices/platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0/usb1/1-1/1-1.3/1-1.3:1.0/host0/target0:0:0/0:0:0:0/block/sda',
      'pci-0000:01:00.0-usb-0:1.3:1.0-scsi-0:0:0:0',
    ],
    [
      '/devices/platform/soc/3f980000.usb/usb1/1-1/1-1.2/1-1.2:1.0/host1/target1:0:0/1:0:0:2/block/sdc',
      'platform-3f980000.usb-usb-0:1.2:1.0-scsi-0:0:0:2',
    ],
    [
      '/devices/pci0000:00/0000:00:1c.0/0000:03:00.0/rtsx_pci_sdmmc.0/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0',
      'pci-0000:03:00.0',
    ],
    [
      '/devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:1/block/mmcblk0',
      'platform-fe340000.mmc',
    ],
    ['/devices/virtual/block/loop0', null],
  ])('%s', (path, slot) => {
    expect(slotOf(path)).toBe(slot);
  });
});
