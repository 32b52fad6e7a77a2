import { describe, expect, it } from 'vitest';
import type { Bus, Drive, DriveUse, UseKind } from '../../../src-core/Drive.ts';
import { classifyDrive, LARGE_DRIVE } from '../../../src-core/DriveVerdict.ts';

const GB = 1e9;

const card: Drive = {
  path: '/dev/sdb',
  name: 'sdb',
  label: 'Generic MassStorageClass',
  serial: '0123',
  wwn: null,
  sequence: 12,
  slot: null,
  cardId: null,
  size: 32 * GB,
  logicalBlockSize: 512,
  bus: 'usb',
  removable: true,
  readOnly: false,
  hasMedium: true,
  virtual: false,
  partitions: [],
  uses: [],
  openedBy: [],
  contentUnread: false,
  unfinished: false,
};

function drive(changes: Partial<Drive>): Drive {
  return { ...card, ...changes };
}

function partition(fileSystem: string | null, path?: string, automounted = true) {
  return {
    name: 'sdb1',
    label: null,
    fileSystem,
    size: GB,
    used: null,
    mounts: path === undefined ? [] : [{ path, automounted }],
  };
}

function judge(changes: Partial<Drive>, imageSize: number | null = null, allowVirtual = false) {
  const given = classifyDrive(drive(changes), { imageSize, allowVirtual });
  const codes = [...given.refusals, ...given.warnings, ...given.notes].map(({ code }) => code);
  return { verdict: given.verdict, codes };
}

const allowed = { verdict: 'allowed', codes: [] };

describe('what may be flashed', () => {
  it.each<Partial<Drive>>([
    { bus: 'usb' },
    { bus: 'sd' },
    { bus: 'sd', removable: false },
    { bus: 'thunderbolt' },
    { bus: 'firewire' },
  ])('%j', (changes) => {
    expect(judge(changes)).toEqual(allowed);
  });

  it.each(['vfat', 'exfat', 'ext4', 'iso9660', 'f2fs', 'swap', 'linux'])(
    'a used card with %s, mounted by the desktop, is only noted',
    (fileSystem) => {
      const partitions = [partition(fileSystem, '/media/user/BOOT')];
      expect(judge({ partitions })).toEqual({
        verdict: 'allowed',
        codes: ['mounted', 'holds-data'],
      });
    },
  );

  it('a card whose flash did not finish', () => {
    expect(judge({ unfinished: true })).toEqual({ verdict: 'allowed', codes: ['unfinished'] });
  });
});

describe('what is warned of', () => {
  it.each([
    // As sold: SanDisk and Samsung 256 GB cards and sticks, IDEMA's 256 GB.
    [255_869_321_216, 'allowed'],
    [256_060_514_304, 'allowed'],
    [256_641_603_584, 'allowed'],
    [LARGE_DRIVE, 'allowed'],
    [LARGE_DRIVE + 1, 'warned'],
    [300 * GB, 'warned'],
    [1024 * GB, 'warned'],
  ])('%i bytes: %s', (size, verdict) => {
    expect(judge({ size }).verdict).toBe(verdict);
  });

  it('a USB disk that is not marked removable', () => {
    expect(judge({ removable: false })).toEqual({ verdict: 'warned', codes: ['not-removable'] });
  });

  it.each(['ntfs', 'apfs', 'LVM2_member', 'crypto_LUKS', 'BitLocker', 'zfs_member', 'hfsplus'])(
    '%s on it',
    (fileSystem) => {
      const { verdict, warnings } = classifyDrive(drive({ partitions: [partition(fileSystem)] }), {
        imageSize: null,
        allowVirtual: false,
      });
      expect(verdict).toBe('warned');
      expect(warnings).toEqual([{ code: 'foreign-file-system', about: `${fileSystem} on sdb1` }]);
    },
  );

  it('a drive whose content could not be read', () => {
    const codes = ['content-unread'];
    expect(judge({ contentUnread: true })).toEqual({ verdict: 'warned', codes });
    expect(judge({ contentUnread: true, hasMedium: false }).codes).toEqual(['no-medium']);
  });

  it('mounted elsewhere than by an automounter, and files in use', () => {
    const partitions = [partition('ext4', '/mnt/data', false)];
    expect(judge({ partitions, openedBy: ['vim', 'bash'] })).toEqual({
      verdict: 'warned',
      codes: ['mounted-elsewhere', 'files-in-use', 'files-in-use', 'holds-data'],
    });
  });
});

describe('what is refused', () => {
  it.each<[UseKind, string]>([
    ['root', 'carries-root'],
    ['boot', 'carries-boot'],
    ['system', 'carries-system'],
    ['swap', 'carries-swap'],
    ['program', 'carries-program'],
    ['image', 'holds-image'],
    ['cache', 'holds-cache'],
  ])('a drive used for %s, virtual drives allowed or not', (kind, code) => {
    const uses: DriveUse[] = [{ kind, what: '/boot', through: ['sdb1', 'md0'] }];
    for (const allowVirtual of [false, true]) {
      expect(judge({ uses }, null, allowVirtual)).toEqual({ verdict: 'refused', codes: [code] });
    }
    const { refusals } = classifyDrive(drive({ uses }), { imageSize: null, allowVirtual: true });
    expect(refusals).toEqual([{ code, about: '/boot through sdb1, md0' }]);
  });

  it.each<[Bus, string]>([
    ['sata', 'internal-bus'],
    ['nvme', 'internal-bus'],
    ['emmc', 'internal-bus'],
    ['virtio', 'internal-bus'],
    ['other', 'unknown-bus'],
  ])('bus %s, whatever it says of its medium', (bus, code) => {
    for (const removable of [false, true]) {
      expect(judge({ bus, removable }, null, true)).toEqual({ verdict: 'refused', codes: [code] });
    }
  });

  it.each<Bus>(['thunderbolt', 'firewire'])('%s that is built in', (bus) => {
    expect(judge({ bus, removable: false }).codes).toEqual(['internal-bus']);
  });

  it('a virtual drive, unless virtual drives are allowed', () => {
    const loop: Partial<Drive> = { bus: 'virtual', virtual: true, name: 'loop0' };
    expect(judge(loop)).toEqual({ verdict: 'refused', codes: ['virtual'] });
    expect(judge(loop, null, true)).toEqual(allowed);
    expect(judge({ ...loop, virtual: false }).codes).toEqual(['virtual']);
  });

  it('read-only, and without a medium', () => {
    expect(judge({ readOnly: true }).codes).toEqual(['read-only']);
    expect(judge({ hasMedium: false, size: 0, readOnly: true }, GB).codes).toEqual(['no-medium']);
  });

  it('too small, by a single byte', () => {
    expect(judge({ size: 4 * GB }, 4 * GB)).toEqual(allowed);
    expect(judge({ size: 4 * GB }, 4 * GB + 1).codes).toEqual(['too-small']);
  });
});

describe('every reason', () => {
  it('is given, most serious first', () => {
    const uses: DriveUse[] = [
      { kind: 'swap', what: '/dev/sdb2', through: ['sdb2'] },
      { kind: 'root', what: '/', through: ['sdb1'] },
    ];
    const partitions = [partition('ntfs', '/mnt/x', false)];
    expect(
      judge({ uses, partitions, readOnly: true, removable: false, size: 300 * GB }, 301 * GB),
    ).toEqual({
      verdict: 'refused',
      codes: [
        'carries-root',
        'carries-swap',
        'read-only',
        'too-small',
        'large',
        'not-removable',
        'foreign-file-system',
        'mounted-elsewhere',
      ],
    });
  });

  it('is fit to be shown, and given once', () => {
    const partitions = [partition('ext4', '/mnt/\u202etxt\u001b[2J', false)];
    const { warnings } = classifyDrive(drive({ partitions: [...partitions, ...partitions] }), {
      imageSize: null,
      allowVirtual: false,
    });
    expect(warnings).toEqual([{ code: 'mounted-elsewhere', about: '/mnt/ txt [2J' }]);
  });
});
