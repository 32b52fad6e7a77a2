import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fail } from '../../src-core/Failure.ts';
import { readKernelFile, readKernelFolder } from './KernelFile.ts';

/** One block device as the kernel shows it below /sys/class/block (sysfs-block, Documentation/ABI). */
export interface SysBlockDevice {
  /** Kernel name; a "!" stands for the "/" of its name in /dev. */
  readonly name: string;
  /** "major:minor". */
  readonly number: string | null;
  /** Below /sys, for example "/devices/pci0000:00/.../block/sdb". */
  readonly devicePath: string;
  /** The whole disk, where this is a partition. */
  readonly wholeDisk: string | null;
  /** Bytes; null where it cannot be read. */
  readonly size: number | null;
  readonly readOnly: boolean | null;
  readonly removable: boolean | null;
  /** A path of a multipath device that must not be used by itself. */
  readonly hidden: boolean;
  readonly sequence: number | null;
  readonly logicalBlockSize: number | null;
  /** Whether the kernel takes requests to discard for it. */
  readonly discards: boolean | null;
  readonly vendor: string | null;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwn: string | null;
  /** Of an mmcblk device: "SD", "MMC" (which eMMC says) ... */
  readonly mmcType: string | null;
  readonly cardId: string | null;
  /** SCSI peripheral type: 0 disk, 5 optical. */
  readonly scsiType: string | null;
  /** Of a loop device: the file behind it. */
  readonly backingFile: string | null;
  /** Of a dm device: its name below /dev/mapper. */
  readonly mapperName: string | null;
  /** The devices it lies on (dm, md, bcache). */
  readonly slaves: readonly string[];
  /** The bus says that the device itself can be pulled (PCI behind Thunderbolt; kernel 5.13 on). */
  readonly pluggable: boolean;
}

/** A sector of every size that sysfs shows, whatever the device's own block size. */
const SECTOR = 512;

/** Reads an attribute; null where it is not there, cannot be read or is blank. */
function attribute(folder: string, name: string): string | null {
  try {
    const text = readFileSync(join(folder, name), 'utf8').trim();
    return text === '' ? null : text;
  } catch {
    return null;
  }
}

/** An attribute that decides what lies on what: null only where it is not there or is blank. */
function linkAttribute(folder: string, name: string): string | null {
  return readKernelFile(join(folder, name))?.replace(/\n$/, '') || null;
}

function countAttribute(folder: string, name: string): number | null {
  const text = attribute(folder, name);
  if (text === null || !/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}

function flagAttribute(folder: string, name: string): boolean | null {
  const count = countAttribute(folder, name);
  return count === null ? null : count !== 0;
}

function sizeOf(folder: string): number | null {
  const sectors = countAttribute(folder, 'size');
  return sectors === null ? null : sectors * SECTOR;
}

/** The folders from a device up to /sys/devices, nearest first. */
function ancestors(sysRoot: string, devicePath: string): string[] {
  const folders: string[] = [];
  for (let path = devicePath; path.length > '/devices'.length; path = dirname(path)) {
    folders.push(join(sysRoot, path));
    if (folders.length > 64) break;
  }
  return folders;
}

/** The serial of the USB device that a block device hangs on, or of the block device's own parent. */
function serialOf(sysRoot: string, devicePath: string, folder: string): string | null {
  const usbDevice = ancestors(sysRoot, devicePath).find(
    (path) => attribute(path, 'idVendor') !== null,
  );
  return usbDevice === undefined
    ? attribute(join(folder, 'device'), 'serial')
    : attribute(usbDevice, 'serial');
}

function isPluggable(sysRoot: string, devicePath: string): boolean {
  return ancestors(sysRoot, devicePath).some(
    (path) =>
      /^[0-9a-f]{4,8}:[0-9a-f]{2}:/.test(basename(path)) &&
      attribute(path, 'removable') === 'removable',
  );
}

/** The folder of a device; null where the device went away meanwhile. */
function folderOf(sysRoot: string, name: string): string | null {
  const link = join(sysRoot, 'class/block', name);
  try {
    return realpathSync(link);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw fail('drive-list-unavailable', { detail: link }, { cause });
  }
}

function readDevice(sysRoot: string, name: string): SysBlockDevice | null {
  const folder = folderOf(sysRoot, name);
  if (folder === null) return null;
  const devicePath = folder.slice(realpathSync(sysRoot).length);
  const isPartition = linkAttribute(folder, 'partition') !== null;
  const parent = join(folder, 'device');
  const isMmc = name.startsWith('mmcblk');
  const isVirtual = devicePath.startsWith('/devices/virtual/');
  return {
    name,
    number: linkAttribute(folder, 'dev'),
    devicePath,
    wholeDisk: isPartition ? basename(dirname(folder)) : null,
    size: sizeOf(folder),
    readOnly: flagAttribute(folder, 'ro'),
    removable: flagAttribute(folder, 'removable'),
    hidden: flagAttribute(folder, 'hidden') ?? false,
    sequence: countAttribute(folder, 'diskseq'),
    logicalBlockSize: countAttribute(folder, 'queue/logical_block_size'),
    discards: flagAttribute(folder, 'queue/discard_max_bytes'),
    vendor: isPartition || isMmc ? null : attribute(parent, 'vendor'),
    model: isPartition ? null : attribute(parent, isMmc ? 'name' : 'model'),
    serial: isPartition || isVirtual ? null : serialOf(sysRoot, devicePath, folder),
    wwn: isPartition ? null : (attribute(parent, 'wwid') ?? attribute(folder, 'wwid')),
    mmcType: isMmc && !isPartition ? attribute(parent, 'type') : null,
    cardId: isMmc && !isPartition ? attribute(parent, 'cid') : null,
    scsiType: isMmc || isPartition ? null : attribute(parent, 'type'),
    backingFile: linkAttribute(folder, 'loop/backing_file'),
    mapperName: attribute(folder, 'dm/name'),
    slaves: readKernelFolder(join(folder, 'slaves')),
    pluggable: !isPartition && !isVirtual && isPluggable(sysRoot, devicePath),
  };
}

/**
 * Reads every block device of the machine. These attributes are kept by the kernel: none of them
 * asks the device, so that a dead one does not hold the scan.
 * @throws FailureError drive-list-unavailable where it cannot be read what lies on what
 */
export function readSysBlock(sysRoot: string): SysBlockDevice[] {
  return readKernelFolder(join(sysRoot, 'class/block'))
    .map((name) => readDevice(sysRoot, name))
    .filter((device) => device !== null);
}

/** The member devices of each mounted btrfs file system: it shows one of them only as its source. */
export function readBtrfsMembers(sysRoot: string): string[][] {
  return readKernelFolder(join(sysRoot, 'fs/btrfs'))
    .map((id) => readKernelFolder(join(sysRoot, 'fs/btrfs', id, 'devices')))
    .filter((members) => members.length > 0);
}
