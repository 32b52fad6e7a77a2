import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { Drive } from '../../../src-core/Drive.ts';
import { failureOf } from '../../../src-core/Failure.ts';
import { dataFolder, findDrive } from '../../../src-services/DriveScan.ts';
import type { JudgedDrive } from '../../../src-services/DriveScan.ts';
import { existingPracticeCard, practicePath } from '../../../src-services/PracticeCard.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'boxwright-scan-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

afterEach(() => {
  vi.unstubAllEnvs();
});

function judged(name: string, serial: string | null): JudgedDrive {
  const partition = {
    ...{ name: `${name}1`, label: null, fileSystem: null, size: 1, used: null, mounts: [] },
  };
  const drive: Drive = {
    ...{ path: path.join(folder, name), name, label: 'Generic', serial, wwn: null, sequence: 7 },
    ...{ slot: null, cardId: null, size: 8e9, logicalBlockSize: 512, bus: 'usb', removable: true },
    ...{ readOnly: false, hasMedium: true, virtual: false, unfinished: false },
    ...{ partitions: [partition], uses: [], openedBy: [], contentUnread: false },
  };
  return { drive, verdict: { verdict: 'allowed', refusals: [], warnings: [], notes: [] } };
}

const drives = [
  judged('sdb', '058F'),
  judged('sdc', '058F'),
  judged('sdd', 'A1 B2'),
  judged('sde', null),
];
for (const { drive } of drives) {
  writeFileSync(drive.path, '');
  writeFileSync(`${drive.path}1`, '');
}

function codeOf(named: string): string {
  try {
    return findDrive(drives, named).drive.name;
  } catch (thrown) {
    return failureOf(thrown).code;
  }
}

describe('the drive that a person named', () => {
  it('is found by path, through links, and by serial number', () => {
    expect(codeOf(path.join(folder, 'sdb'))).toBe('sdb');
    symlinkSync(path.join(folder, 'sdc'), path.join(folder, 'by-id'));
    expect(codeOf(path.join(folder, 'by-id'))).toBe('sdc');
    expect(codeOf('serial:A1 B2')).toBe('sdd');
  });

  it('is never guessed', () => {
    expect(codeOf('serial:058F')).toBe('drive-ambiguous');
    expect(codeOf('serial:058')).toBe('drive-not-found');
    expect(codeOf('serial:')).toBe('drive-not-found');
    expect(codeOf('serial:null')).toBe('drive-not-found');
    expect(codeOf('')).toBe('drive-not-found');
    expect(codeOf('sdb')).toBe('drive-not-found');
    expect(codeOf('/dev/sdb1')).toBe('drive-not-whole');
    expect(codeOf(path.join(folder, 'sdb1'))).toBe('drive-is-a-file');
    writeFileSync(path.join(folder, 'file.img'), '');
    expect(codeOf(path.join(folder, 'file.img'))).toBe('drive-is-a-file');
    expect(codeOf(folder)).toBe('drive-not-found');
    expect(codeOf('a\0b')).toBe('drive-not-found');
  });
});

describe('the practice card that a person named', () => {
  it('is a file, the default one among the data of the user', () => {
    vi.stubEnv('XDG_DATA_HOME', '/data');
    expect(dataFolder()).toBe('/data/boxwright');
    expect(practicePath('practice')).toBe('/data/boxwright/practice-card.img');
    expect(practicePath('practice:/x/y.img')).toBe('/x/y.img');
    expect(practicePath('practice:y.img')).toBe(path.resolve('y.img'));
    expect(practicePath('practice:')).toBeNull();
    expect(practicePath('/dev/sdb')).toBeNull();
    expect(practicePath('practised')).toBeNull();
  });

  it('is not looked for in a relative folder (XDG Base Directory Specification)', () => {
    vi.stubEnv('XDG_DATA_HOME', 'relative');
    expect(dataFolder()).toMatch(/\.local\/share\/boxwright$/);
  });

  it('must be there to be compared', () => {
    expect(() => existingPracticeCard(path.join(folder, 'none'))).toThrow(/practice-card-missing/);
    expect(() => existingPracticeCard(folder)).toThrow(/practice-card-not-a-file/);
  });
});
