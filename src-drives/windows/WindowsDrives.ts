import type { Bus, Drive, DriveUse, Mount, Partition, UseKind } from '../../src-core/Drive.ts';
import { plainText } from '../../src-core/PlainText.ts';
import { driveLabel } from '../DriveLabel.ts';
import type { KeptFile } from '../KeptFile.ts';
import type {
  StorageReading,
  WindowsDisk,
  WindowsPartition,
  WindowsVolume,
} from './StorageReading.ts';

/** MSFT_Disk.BusType, by the names that the Storage module gives and by number. */
const buses: Readonly<Record<string, Bus>> = {
  ATA: 'sata',
  '3': 'sata',
  '1394': 'firewire',
  '4': 'firewire',
  USB: 'usb',
  '7': 'usb',
  SATA: 'sata',
  '11': 'sata',
  SD: 'sd',
  '12': 'sd',
  MMC: 'emmc',
  '13': 'emmc',
  'File Backed Virtual': 'virtual',
  '15': 'virtual',
  NVMe: 'nvme',
  '17': 'nvme',
};

/** Windows calls soldered eMMC an SD device on many tablets; its medium cannot leave, though. */
function busOf({ busType, mediaType }: WindowsDisk): Bus {
  const bus = buses[busType ?? ''] ?? 'other';
  return bus === 'sd' && !isRemovable(mediaType) ? 'emmc' : bus;
}

/** Whether the medium can leave the drive, by Win32_DiskDrive.MediaType. */
function isRemovable(mediaType: string | null): boolean {
  return /removable/i.test(mediaType ?? '');
}

/** GPT partition types whose content no volume tells. */
const gptContents: Readonly<Record<string, string>> = {
  '{e75caf8f-f680-4cee-afa3-b001e56efc2d}': 'storage-spaces',
  '{5808c8aa-7e8f-42e0-85d2-e1e90434cfb3}': 'ldm',
  '{af9b60a0-1431-4f62-bc68-3311714a69ad}': 'ldm',
  '{7c3457ef-0000-11aa-aa11-00306543ecac}': 'apfs',
  '{48465300-0000-11aa-aa11-00306543ecac}': 'hfsplus',
  '{e6d6d379-f507-44c2-a23c-238f2a3df928}': 'LVM2_member',
  '{ca7d7ccb-63ed-4c53-861c-1742536059cc}': 'crypto_LUKS',
  '{a19d880f-05fc-4d3b-a006-743f0f84911e}': 'linux_raid_member',
  '{0fc63daf-8483-4772-8e79-3d69d8477de4}': 'linux',
};

/** The same for MBR. */
const mbrContents: Readonly<Record<number, string>> = {
  0x42: 'ldm',
  0x82: 'swap',
  0x83: 'linux',
  0x8e: 'LVM2_member',
  0xaf: 'hfsplus',
  0xe8: 'crypto_LUKS',
  0xfd: 'linux_raid_member',
};

const fileSystems: Readonly<Record<string, string>> = { fat: 'vfat', fat32: 'vfat' };

const isLetter = /^[A-Za-z]:\\$/;

/** Windows paths are equal whatever their case. */
function isBelow(path: string, folder: string): boolean {
  const prefix = folder.endsWith('\\') ? folder : `${folder}\\`;
  return `${path}\\`.toLowerCase().startsWith(prefix.toLowerCase());
}

/** Makes drives of what was read. Pure. */
export class WindowsDrives {
  readonly #reading: StorageReading;
  readonly #keptFiles: readonly KeptFile[];

  constructor(reading: StorageReading, keptFiles: readonly KeptFile[]) {
    this.#reading = reading;
    this.#keptFiles = keptFiles;
  }

  drives(): Drive[] {
    return this.#reading.disks
      .map((disk) => this.#drive(disk))
      .sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }));
  }

  #drive(disk: WindowsDisk): Drive {
    const name = `PhysicalDrive${String(disk.number)}`;
    const bus = busOf(disk);
    const partitions = this.#reading.partitions.filter(
      ({ diskNumber }) => diskNumber === disk.number,
    );
    const hasMedium = disk.size > 0 && disk.operationalStatus !== 'No Media';
    const isWorldWide = /^(FCPH Name|EUI64|[238])$/.test(disk.uniqueIdFormat ?? '');
    return {
      path: `\\\\.\\${name}`,
      name,
      label: driveLabel([disk.friendlyName?.replace(/ USB Device$/, '') ?? null], name),
      serial: cleaned(disk.serial),
      wwn: isWorldWide ? cleaned(disk.uniqueId) : null,
      sequence: null,
      slot: cleaned(disk.location),
      cardId: null,
      size: hasMedium ? disk.size : 0,
      logicalBlockSize: disk.logicalSectorSize ?? 512,
      bus,
      removable: isRemovable(disk.mediaType),
      readOnly: disk.isReadOnly,
      hasMedium,
      virtual: bus === 'virtual',
      partitions: partitions.map((partition) => this.#partition(partition)),
      uses: this.#uses(disk, partitions),
      openedBy: [],
      contentUnread: false,
      unfinished: false,
    };
  }

  #volume({ accessPaths }: WindowsPartition): WindowsVolume | null {
    return this.#reading.volumes.find(({ path }) => accessPaths.includes(path)) ?? null;
  }

  #partition(partition: WindowsPartition): Partition {
    const volume = this.#volume(partition);
    return {
      name: partitionName(partition),
      label: cleaned(volume?.label ?? null),
      fileSystem: fileSystemOf(partition, volume),
      size: partition.size,
      used:
        volume === null || volume.size === 0 || volume.size < volume.sizeRemaining
          ? null
          : volume.size - volume.sizeRemaining,
      mounts: mountPoints(partition).map((path): Mount => ({
        path,
        automounted: isLetter.test(path),
      })),
    };
  }

  #uses(disk: WindowsDisk, partitions: readonly WindowsPartition[]): DriveUse[] {
    const { pageFiles, systemRoot } = this.#reading;
    const uses: DriveUse[] = [];
    const add = (kind: UseKind, what: string, partition: WindowsPartition): void => {
      uses.push({ kind, what, through: [partitionName(partition)] });
    };
    for (const partition of partitions) {
      if (systemRoot !== null && this.#holds(partition, systemRoot)) {
        add('root', systemRoot, partition);
      } else if (partition.isBoot) add('root', 'Windows', partition);
      if (partition.isSystem) add('boot', 'Windows', partition);
      for (const path of pageFiles) if (this.#holds(partition, path)) add('swap', path, partition);
      for (const { kind, path, realPath } of this.#keptFiles) {
        if (this.#holds(partition, realPath)) add(kind, path, partition);
      }
    }
    if (disk.isBoot && !uses.some(({ kind }) => kind === 'root')) {
      uses.push({ kind: 'root', what: 'Windows', through: [] });
    }
    if (disk.isSystem && !uses.some(({ kind }) => kind === 'boot')) {
      uses.push({ kind: 'boot', what: 'Windows', through: [] });
    }
    return uses;
  }

  /** Whether a path leads into a partition: the longest place that leads to the path decides. */
  #holds(partition: WindowsPartition, path: string): boolean {
    const places = this.#reading.partitions.flatMap((holder) =>
      mountPoints(holder)
        .filter((place) => isBelow(path, place))
        .map((place) => ({ holder, place })),
    );
    places.sort((one, other) => other.place.length - one.place.length);
    return places[0]?.holder === partition;
  }
}

function partitionName({ diskNumber, number }: WindowsPartition): string {
  return `Disk ${String(diskNumber)} Partition ${String(number)}`;
}

function mountPoints({ accessPaths }: WindowsPartition): readonly string[] {
  return accessPaths.filter((path) => !path.startsWith('\\\\?\\'));
}

function fileSystemOf(
  { gptType, mbrType }: WindowsPartition,
  volume: WindowsVolume | null,
): string | null {
  if (volume?.isLocked === true) return 'BitLocker';
  const told = cleaned(volume?.fileSystem ?? null)?.toLowerCase() ?? null;
  if (told !== null) return fileSystems[told] ?? told;
  return gptContents[gptType ?? ''] ?? mbrContents[mbrType ?? -1] ?? null;
}

function cleaned(text: string | null): string | null {
  return text === null ? null : plainText(text) || null;
}
