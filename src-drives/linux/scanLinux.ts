import { join } from 'node:path';
import type { Drive } from '../../src-core/Drive.ts';
import { fail } from '../../src-core/Failure.ts';
import { withinDeadline } from '../Deadline.ts';
import { findKeptFiles, realPathHere, type RealPath } from '../KeptFile.ts';
import type { ScanOptions } from '../ScanOptions.ts';
import { callTool, printedBy, type ToolCaller } from '../ToolRunner.ts';
import { usedSpaceHere, withUsedSpace, type UsedSpace } from '../UsedSpace.ts';
import { blkidRun, contentTold, type ProbedContent } from './Blkid.ts';
import { devicePath } from './BlockGraph.ts';
import { absentOrForbidden, readKernelFile } from './KernelFile.ts';
import { LinuxDrives } from './LinuxDrives.ts';
import { lsblkRun, parseLsblk, type LsblkReading } from './Lsblk.ts';
import { isBelow, parseMountInfo, parseSwaps } from './MountTable.ts';
import { readOpenPaths } from './OpenFiles.ts';
import { lookAtPathHere, type LookAtPath, type PathKind } from './PathKind.ts';
import { readBtrfsMembers, readSysBlock, type SysBlockDevice } from './SysBlock.ts';

/** What the scan asks of the machine; tests give a recorded one. */
export interface LinuxMachine {
  readonly sysRoot: string;
  readonly procRoot: string;
  readonly callTool: ToolCaller;
  readonly realPath: RealPath;
  readonly usedSpace: UsedSpace;
  readonly lookAtPath: LookAtPath;
}

export const linuxMachine: LinuxMachine = {
  sysRoot: '/sys',
  procRoot: '/proc',
  callTool,
  realPath: realPathHere,
  usedSpace: usedSpaceHere,
  lookAtPath: lookAtPathHere,
};

/** Buses whose drives are never flashed: nobody needs to know what is open on them. */
const uninteresting = new Set<Drive['bus']>(['sata', 'nvme', 'emmc', 'virtio', 'other']);

/**
 * Looks at the drives of a Linux machine: sysfs and the mount table of the kernel, joined with what
 * lsblk knows of labels and file systems from udev; blkid reads them where no udev runs.
 * @throws FailureError drive-list-unavailable where neither sysfs nor lsblk shows any block device,
 *   or where a table of the kernel cannot be read without which a drive in use could look free
 */
export async function scanLinux(options: ScanOptions, machine: LinuxMachine): Promise<Drive[]> {
  const { procRoot, sysRoot } = machine;
  const [listed, keptFiles] = await Promise.all([
    machine.callTool(lsblkRun).then(printedBy),
    findKeptFiles(options, machine.realPath),
  ]);
  const ownMounts = readKernelFile(join(procRoot, 'self/mountinfo'), []) ?? '';
  // Readable by root only: what is mounted outside of a namespace of our own.
  const systemMounts = readKernelFile(join(procRoot, '1/mountinfo'), absentOrForbidden) ?? '';
  const swaps = parseSwaps(readKernelFile(join(procRoot, 'swaps'), ['ENOENT']) ?? '');
  const lsblk = listed === null ? null : parseLsblk(listed);
  const sysDevices = readSysBlock(sysRoot);
  if (sysDevices.length === 0 && (lsblk === null || lsblk.devices.size === 0)) {
    throw fail('drive-list-unavailable', { detail: `${sysRoot}/class/block, lsblk` });
  }
  const drives = new LinuxDrives({
    lsblk,
    probed: await probe(lsblk, sysDevices, machine),
    sysDevices,
    btrfsMembers: readBtrfsMembers(sysRoot),
    mounts: [...parseMountInfo(systemMounts), ...parseMountInfo(ownMounts)],
    swaps,
    keptFiles,
    pathKinds: await lookAt(
      [
        ...sysDevices.flatMap(({ backingFile }) => backingFile ?? []),
        ...swaps.map(({ path }) => path),
        ...keptFiles.map(({ realPath }) => realPath),
      ],
      machine,
    ),
  }).drives();
  return Promise.all(
    withOpenFiles(drives, procRoot).map((drive) => withUsedSpace(drive, machine.usedSpace)),
  );
}

/** More drives than this are not probed: their content counts as unread. */
const MOST_PROBED = 256;

/**
 * Reads the drives' contents where lsblk could tell none, for lack of udev.
 * @returns by device path; null where a drive did not tell
 */
async function probe(
  lsblk: LsblkReading | null,
  sysDevices: readonly SysBlockDevice[],
  machine: LinuxMachine,
): Promise<Map<string, ProbedContent | null>> {
  const isTold = [...(lsblk?.devices.values() ?? [])].some(({ fileSystem }) => fileSystem !== null);
  if (isTold) return new Map();
  const filled = sysDevices.filter(({ size }) => size !== 0);
  const drives = Map.groupBy(filled, ({ name, wholeDisk }) => wholeDisk ?? name);
  const probes = [...drives.values()].map(async (devices, index) => {
    const paths = devices.map(({ name }) => devicePath(name));
    const found = index < MOST_PROBED ? contentTold(await machine.callTool(blkidRun(paths))) : null;
    return found ?? paths.map((path) => [path, null] as const);
  });
  return new Map((await Promise.all(probes)).flatMap((found) => [...found]));
}

/** Milliseconds that a path may take to be looked at; on a dead server it never is. */
const PATIENCE = 200;

async function lookAt(
  paths: readonly string[],
  machine: LinuxMachine,
): Promise<Map<string, PathKind | null>> {
  const looks = [...new Set(paths)].map(
    async (path) => [path, await withinDeadline(machine.lookAtPath(path), PATIENCE)] as const,
  );
  return new Map(await Promise.all(looks));
}

function placesOf({ path, partitions }: Drive): string[] {
  return [
    path,
    ...partitions.flatMap(({ name, mounts }) => [
      `/dev/${name}`,
      ...mounts.map((mount) => mount.path),
    ]),
  ];
}

function withOpenFiles(drives: readonly Drive[], procRoot: string): Drive[] {
  const candidates = drives.filter(
    ({ bus, hasMedium, uses }) => hasMedium && !uninteresting.has(bus) && uses.length === 0,
  );
  const opened = readOpenPaths(procRoot, candidates.flatMap(placesOf), process.pid);
  return drives.map((drive) => {
    if (!candidates.includes(drive)) return drive;
    const places = placesOf(drive);
    const holders = opened.filter(({ path }) => places.some((place) => isBelow(path, place)));
    const programs = new Set([...drive.openedBy, ...holders.map(({ program }) => program)]);
    return { ...drive, openedBy: [...programs].sort() };
  });
}
