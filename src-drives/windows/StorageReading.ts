import { Fields } from '../Fields.ts';

/** A disk as Get-Disk (MSFT_Disk) and Win32_DiskDrive describe it. */
export interface WindowsDisk {
  readonly number: number;
  readonly friendlyName: string | null;
  readonly serial: string | null;
  readonly uniqueId: string | null;
  readonly uniqueIdFormat: string | null;
  /** Name or number of MSFT_Disk.BusType. */
  readonly busType: string | null;
  readonly size: number;
  readonly logicalSectorSize: number | null;
  readonly isBoot: boolean;
  readonly isSystem: boolean;
  readonly isReadOnly: boolean;
  readonly operationalStatus: string | null;
  readonly location: string | null;
  /** Win32_DiskDrive.MediaType: "Removable Media", "External hard disk media", "Fixed hard disk media". */
  readonly mediaType: string | null;
}

/** A partition as Get-Partition describes it. */
export interface WindowsPartition {
  readonly diskNumber: number;
  readonly number: number;
  readonly size: number;
  readonly gptType: string | null;
  readonly mbrType: number | null;
  readonly isBoot: boolean;
  readonly isSystem: boolean;
  /** "E:\", a folder it is mounted in, and "\\?\Volume{...}\". */
  readonly accessPaths: readonly string[];
}

/** A volume as Get-Volume describes it. */
export interface WindowsVolume {
  /** "\\?\Volume{...}\" */
  readonly path: string;
  readonly fileSystem: string | null;
  readonly label: string | null;
  readonly size: number;
  readonly sizeRemaining: number;
  readonly isLocked: boolean;
}

export interface StorageReading {
  readonly disks: readonly WindowsDisk[];
  readonly partitions: readonly WindowsPartition[];
  readonly volumes: readonly WindowsVolume[];
  readonly pageFiles: readonly string[];
  /** The folder of the running Windows. */
  readonly systemRoot: string | null;
}

/** System.Volume.BitLockerProtection of the Windows property system: 6 is locked. */
const LOCKED = 6;

function each<Value>(fields: readonly Fields[], read: (fields: Fields) => Value | null): Value[] {
  return fields.map(read).filter((value) => value !== null);
}

function readDisk(fields: Fields): WindowsDisk | null {
  const number = fields.count('Number');
  if (number === null) return null;
  const busNumber = fields.count('BusType');
  return {
    number,
    friendlyName: fields.text('FriendlyName'),
    serial: fields.text('SerialNumber'),
    uniqueId: fields.text('UniqueId'),
    uniqueIdFormat: fields.text('UniqueIdFormat'),
    busType: busNumber === null ? fields.text('BusType') : String(busNumber),
    size: fields.count('Size') ?? 0,
    logicalSectorSize: fields.count('LogicalSectorSize'),
    isBoot: fields.flag('IsBoot') ?? false,
    isSystem: fields.flag('IsSystem') ?? false,
    isReadOnly: fields.flag('IsReadOnly') ?? false,
    operationalStatus: fields.text('OperationalStatus'),
    location: fields.text('Location'),
    mediaType: fields.text('MediaType'),
  };
}

function readPartition(fields: Fields): WindowsPartition | null {
  const diskNumber = fields.count('DiskNumber');
  const number = fields.count('PartitionNumber');
  if (diskNumber === null || number === null) return null;
  return {
    diskNumber,
    number,
    size: fields.count('Size') ?? 0,
    gptType: fields.text('GptType')?.toLowerCase() ?? null,
    mbrType: fields.count('MbrType'),
    isBoot: fields.flag('IsBoot') ?? false,
    isSystem: fields.flag('IsSystem') ?? false,
    accessPaths: fields.texts('AccessPaths'),
  };
}

function readVolume(fields: Fields): WindowsVolume | null {
  const path = fields.text('Path');
  if (path === null) return null;
  const fileSystem = fields.text('FileSystem');
  return {
    path,
    fileSystem: fileSystem === 'Unknown' || fileSystem === 'RAW' ? null : fileSystem,
    label: fields.text('FileSystemLabel'),
    size: fields.count('Size') ?? 0,
    sizeRemaining: fields.count('SizeRemaining') ?? 0,
    isLocked: fields.count('BitLocker') === LOCKED,
  };
}

/** Reads what the storage script printed; null for anything else. */
export function parseStorageReading(text: string): StorageReading | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return null;
  }
  const root = Fields.of(parsed);
  if (root === null || !Array.isArray(Fields.of(parsed)?.list('Disks'))) return null;
  return {
    disks: each(root.objects('Disks'), readDisk),
    partitions: each(root.objects('Partitions'), readPartition),
    volumes: each(root.objects('Volumes'), readVolume),
    pageFiles: root.texts('PageFiles'),
    systemRoot: root.text('SystemRoot'),
  };
}
