import { existsSync, realpathSync, statSync, type BigIntStats } from 'node:fs';
import type { Drive } from '../src-core/Drive.ts';
import { fail } from '../src-core/Failure.ts';
import { plainText } from '../src-core/PlainText.ts';
import { deviceNumber } from './linux/PathKind.ts';

const SERIAL = 'serial:';

/** Devices that are built on others or are parts of one, by their kernel names. */
const partOfDrive =
  /^\/dev\/(mapper\/|dm-\d|md\d|mmcblk\d+(p\d|boot|rpmb|gp)|disk\d+s\d|[hsv]d[a-z]+\d)/;

/**
 * Finds the drive that a person means: by path ("/dev/sdb", "\\.\PhysicalDrive2", a link such as
 * /dev/disk/by-id/..., "/dev/rdisk4" for "/dev/disk4"), or by serial ("serial:0123").
 * @throws FailureError drive-not-found; drive-ambiguous where several have that serial, as the slots
 *   of one reader do; drive-not-whole for a partition or a volume; drive-is-a-file for a plain file
 */
export function resolveDriveArgument(argument: string, drives: readonly Drive[]): Drive {
  if (argument.startsWith(SERIAL)) return withSerial(argument, drives);
  const path = devicePathOf(argument);
  const found = drives.find((drive) => samePath(drive.path, path));
  if (found !== undefined) return found;
  const stats = statsOf(path);
  if (stats?.isFile() === true) throw fail('drive-is-a-file', { path: argument });
  const isPart = drives.some(({ partitions }) =>
    partitions.some(
      ({ name, mounts }) =>
        `/dev/${name}` === path || mounts.some((mount) => samePlace(mount.path, argument)),
    ),
  );
  const isPartition = stats?.isBlockDevice() === true && isLinuxPartition(stats.rdev);
  if (isPart || isPartition || partOfDrive.test(path)) {
    throw fail('drive-not-whole', { drive: argument });
  }
  throw fail('drive-not-found', { drive: argument });
}

function statsOf(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return null;
  }
}

/** Whatever its node is called: Linux knows a partition by its number. */
function isLinuxPartition(rdev: bigint): boolean {
  return existsSync(`/sys/dev/block/${deviceNumber(rdev)}/partition`);
}

function withSerial(argument: string, drives: readonly Drive[]): Drive {
  const serial = plainText(argument.slice(SERIAL.length));
  const matches = serial === '' ? [] : drives.filter((drive) => drive.serial === serial);
  const [drive, another] = matches;
  if (drive === undefined) throw fail('drive-not-found', { drive: argument });
  if (another === undefined) return drive;
  throw fail('drive-ambiguous', {
    drive: argument,
    matches: matches.map(({ path }) => path).join(', '),
  });
}

function devicePathOf(argument: string): string {
  if (/^\\\\[.?]\\/.test(argument)) return argument.replace(/^\\\\\?\\/, '\\\\.\\');
  return realPath(argument).replace(/^\/dev\/rdisk(?=\d)/, '/dev/disk');
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Windows does not tell upper from lower case in the name of a device. */
function samePath(one: string, other: string): boolean {
  return one.startsWith('\\\\.\\') ? one.toLowerCase() === other.toLowerCase() : one === other;
}

/** "E:", "E:\" and "e:" are one drive letter. */
function samePlace(mountPoint: string, argument: string): boolean {
  const letter = /^([A-Za-z]:)\\?$/;
  const [one, other] = [letter.exec(mountPoint)?.[1], letter.exec(argument)?.[1]];
  return one === undefined ? mountPoint === argument : one.toLowerCase() === other?.toLowerCase();
}
