import type { Drive } from '../../src-core/Drive.ts';
import { fail } from '../../src-core/Failure.ts';
import { findKeptFiles, realPathHere, type RealPath } from '../KeptFile.ts';
import type { ScanOptions } from '../ScanOptions.ts';
import { runTool, type ToolRun, type ToolRunner } from '../ToolRunner.ts';
import { usedSpaceHere, withUsedSpace, type UsedSpace } from '../UsedSpace.ts';
import {
  parseDiskutilInfo,
  parseDiskutilList,
  parseRegistry,
  type DiskutilInfo,
  type RegistryMedium,
} from './Diskutil.ts';
import { ambiguousContents, MacosDrives } from './MacosDrives.ts';

/** What the scan asks of the Mac; tests give a recorded one. */
export interface MacosMachine {
  readonly runTool: ToolRunner;
  readonly realPath: RealPath;
  readonly usedSpace: UsedSpace;
}

export const macosMachine: MacosMachine = {
  runTool,
  realPath: realPathHere,
  usedSpace: usedSpaceHere,
};

function diskutil(...words: string[]): ToolRun {
  return { tool: ['/usr/sbin/diskutil'], arguments: words, timeout: 10_000 };
}

function ioreg(className: string, ...words: string[]): ToolRun {
  return {
    tool: ['/usr/sbin/ioreg'],
    arguments: ['-a', '-l', '-r', '-c', className, ...words],
    timeout: 5000,
  };
}

/**
 * Looks at the drives of a Mac: diskutil for disks, volumes and buses, the I/O registry for serials
 * of USB devices and the number that changes with every medium. Programs with open files are not
 * looked for.
 * @throws FailureError drive-list-unavailable
 */
export async function scanMacos(options: ScanOptions, machine: MacosMachine): Promise<Drive[]> {
  const [list, media, usb, keptFiles] = await Promise.all([
    machine.runTool(diskutil('list', '-plist')),
    machine.runTool(ioreg('IOMedia', '-d', '1')),
    machine.runTool(ioreg('IOUSBHostDevice')),
    findKeptFiles(options, machine.realPath),
  ]);
  const disks = list === null ? null : parseDiskutilList(list);
  if (disks === null) throw fail('drive-list-unavailable', { detail: 'diskutil list' });
  const infos = new Map<string, DiskutilInfo>();
  const ambiguous = disks
    .flatMap(({ volumes }) => volumes)
    .filter(({ content }) => ambiguousContents.has(content ?? ''));
  await Promise.all(
    [...disks, ...ambiguous].map(async ({ name }) => {
      const text = await machine.runTool(diskutil('info', '-plist', name));
      const info = text === null ? null : parseDiskutilInfo(text);
      if (info !== null) infos.set(name, info);
    }),
  );
  const registry = new Map<string, RegistryMedium>(parseRegistry(media ?? ''));
  for (const [name, { entryId, usbSerial }] of parseRegistry(usb ?? '')) {
    const known = registry.get(name);
    registry.set(name, { entryId: known?.entryId ?? entryId, usbSerial });
  }
  const drives = new MacosDrives({ disks, infos, registry, keptFiles }).drives();
  return Promise.all(drives.map((drive) => withUsedSpace(drive, machine.usedSpace)));
}
