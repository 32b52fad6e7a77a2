import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Drive } from '../../../src-core/Drive.ts';
import { classifyDrive } from '../../../src-core/DriveVerdict.ts';
import { recordedMachines, scanRecorded } from './RecordedMachine.ts';

const machines = recordedMachines();
let scratch = '';

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'boxwright-machine-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true });
});

function verdictOf(drive: Drive, allowVirtual: boolean) {
  const { verdict, ...given } = classifyDrive(drive, { imageSize: null, allowVirtual });
  const codes = [...given.refusals, ...given.warnings, ...given.notes].map(({ code }) => code);
  return { verdict, reasons: [...new Set(codes)] };
}

describe('machines from public reports', () => {
  it('are at least thirty, of every platform, each from a source of its own', () => {
    expect(machines.length).toBeGreaterThanOrEqual(30);
    const platforms = machines.map(([, { platform }]) => platform);
    expect(new Set(platforms)).toEqual(new Set(['linux', 'macos', 'windows']));
    const sources = machines.map(([, { source }]) => source);
    expect(new Set(sources).size).toBe(machines.length);
  });

  it.each(machines)('%s', async (_, machine) => {
    const drives = await scanRecorded(machine, scratch);
    expect(
      Object.fromEntries(drives.map((drive) => [drive.name, verdictOf(drive, false)])),
    ).toEqual(machine.expected);
    for (const drive of drives) {
      const { reasons } = verdictOf(drive, false);
      const others = reasons.filter((reason) => reason !== 'virtual');
      expect(verdictOf(drive, true).reasons).toEqual(others);
    }
  });
});
