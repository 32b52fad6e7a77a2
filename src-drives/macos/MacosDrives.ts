import type { Bus, Drive, DriveUse, Mount, Partition, UseKind } from '../../src-core/Drive.ts';
import { plainText } from '../../src-core/PlainText.ts';
import { driveLabel } from '../DriveLabel.ts';
import type { KeptFile } from '../KeptFile.ts';
import type { DiskutilDisk, DiskutilInfo, DiskutilVolume, RegistryMedium } from './Diskutil.ts';

/** All that was read of a Mac. */
export interface MacosReading {
  readonly disks: readonly DiskutilDisk[];
  readonly infos: ReadonlyMap<string, DiskutilInfo>;
  readonly registry: ReadonlyMap<string, RegistryMedium>;
  readonly keptFiles: readonly KeptFile[];
}

/** Physical interconnects of IOStorageProtocolCharacteristics.h, as diskutil prints them. */
const buses: Readonly<Record<string, Bus>> = {
  USB: 'usb',
  'Secure Digital': 'sd',
  Thunderbolt: 'thunderbolt',
  FireWire: 'firewire',
  SATA: 'sata',
  ATA: 'sata',
  'PCI-Express': 'nvme',
  PCI: 'nvme',
  'Apple Fabric': 'nvme',
  'Disk Image': 'virtual',
};

/** Partition types of diskutil, as libblkid names what is in them. */
const contents: Readonly<Record<string, string>> = {
  Windows_FAT_32: 'vfat',
  Windows_FAT_16: 'vfat',
  DOS_FAT_32: 'vfat',
  DOS_FAT_16: 'vfat',
  DOS_FAT_12: 'vfat',
  EFI: 'vfat',
  // MBR type 7, which NTFS and exFAT share: taken for the one that warns where nothing more is known.
  Windows_NTFS: 'ntfs',
  Apple_APFS: 'apfs',
  Apple_APFS_ISC: 'apfs',
  Apple_APFS_Recovery: 'apfs',
  Apple_HFS: 'hfsplus',
  Apple_HFSX: 'hfsplus',
  Apple_Boot: 'hfsplus',
  Apple_CoreStorage: 'apple_corestorage',
  Apple_RAID: 'apple_raid',
  Linux: 'linux',
  Linux_LVM: 'LVM2_member',
  '0FC63DAF-8483-4772-8E79-3D69D8477DE4': 'linux',
  'E6D6D379-F507-44C2-A23C-238F2A3DF928': 'LVM2_member',
  'CA7D7CCB-63ED-4C53-861C-1742536059CC': 'crypto_LUKS',
};

/** Partition types that say nothing of the file system: each such partition is asked for. */
export const ambiguousContents: ReadonlySet<string> = new Set([
  'Windows_NTFS',
  'Microsoft Basic Data',
  'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7',
]);

/** File systems that diskutil names in its own way. */
const fileSystems: Readonly<Record<string, string>> = { msdos: 'vfat', hfs: 'hfsplus' };

/** The content of a whole disk that has partitions. */
const tables = new Set([
  'GUID_partition_scheme',
  'FDisk_partition_scheme',
  'Apple_partition_scheme',
]);

function useOfMount(path: string): UseKind | null {
  if (path === '/') return 'root';
  if (path === '/System/Volumes/VM' || path === '/private/var/vm') return 'swap';
  if (path === '/System/Volumes/Preboot') return 'boot';
  return /^\/(System|private|usr|nix|Users|Library|opt)(\/|$)/.test(path) ? 'system' : null;
}

/** Makes drives of what was read. Pure. */
export class MacosDrives {
  readonly #reading: MacosReading;

  constructor(reading: MacosReading) {
    this.#reading = reading;
  }

  /** Every whole disk but those that APFS, CoreStorage and RAID make up of others. */
  drives(): Drive[] {
    return this.#reading.disks
      .filter((disk) => this.#storesOf(disk).length === 0)
      .map((disk) => this.#drive(disk));
  }

  /** The partitions that hold a made-up disk. */
  #storesOf(disk: DiskutilDisk): readonly string[] {
    const info = this.#reading.infos.get(disk.name);
    const stores = [...disk.physicalStores, ...(info?.physicalStores ?? [])];
    if (stores.length > 0) return stores;
    // A container whose stores are not told may lie on any partition of its kind.
    const isMadeUp = info?.virtual === true && info.busProtocol !== 'Disk Image';
    if (!isMadeUp) return [];
    const holders = new Set(['Apple_APFS', 'Apple_CoreStorage', 'Apple_RAID']);
    return this.#reading.disks
      .flatMap(({ volumes }) => volumes)
      .filter(({ content }) => holders.has(content ?? ''))
      .map(({ name }) => name);
  }

  #drive(disk: DiskutilDisk): Drive {
    const info = this.#reading.infos.get(disk.name);
    const registry = this.#reading.registry.get(disk.name);
    const bus = buses[info?.busProtocol ?? ''] ?? 'other';
    const size = info?.size ?? disk.size;
    const isExternal = bus === 'thunderbolt' || bus === 'firewire';
    return {
      path: `/dev/${disk.name}`,
      name: disk.name,
      label: driveLabel([info?.mediaName?.replace(/ Media$/, '') ?? null], disk.name),
      serial: cleaned(registry?.usbSerial ?? null),
      wwn: null,
      sequence: registry?.entryId ?? null,
      slot: cleaned(info?.treePath ?? null),
      cardId: null,
      size,
      logicalBlockSize: info?.blockSize ?? 512,
      bus: bus === 'nvme' && info?.external === true ? 'thunderbolt' : bus,
      removable:
        isExternal || bus === 'nvme' ? (info?.external ?? false) : (info?.removableMedia ?? false),
      readOnly: info?.writable === false,
      hasMedium: size > 0,
      virtual: bus === 'virtual',
      partitions: this.#partitions(disk),
      uses: this.#uses(disk),
      openedBy: [],
      contentUnread: false,
      unfinished: false,
    };
  }

  /** What lies on a disk: its own volumes, and those of the containers that it holds a part of. */
  #carried(disk: DiskutilDisk): { volume: DiskutilVolume; through: readonly string[] }[] {
    const found = [disk, ...disk.volumes].map((volume) => ({
      volume,
      through: volume === disk ? [] : [volume.name],
    }));
    const seen = new Set([disk.name]);
    for (const { volume, through } of found) {
      for (const container of this.#reading.disks) {
        if (seen.has(container.name) || !this.#storesOf(container).includes(volume.name)) continue;
        seen.add(container.name);
        const above = [...through, container.name];
        found.push({ volume: container, through: above });
        for (const inner of container.volumes) {
          found.push({ volume: inner, through: [...above, inner.name] });
        }
      }
    }
    return found;
  }

  #uses(disk: DiskutilDisk): DriveUse[] {
    const carried = this.#carried(disk);
    const mounted = carried.flatMap(({ volume, through }): DriveUse[] => {
      const kind = volume.mountPoint === null ? null : useOfMount(volume.mountPoint);
      return kind === null ? [] : [{ kind, what: volume.mountPoint ?? '', through }];
    });
    const kept = this.#reading.keptFiles.flatMap(({ kind, path, realPath }): DriveUse[] => {
      const mountPoint = this.#mountPointOf(realPath);
      const holder = carried.find(({ volume }) => volume.mountPoint === mountPoint);
      return mountPoint === null || holder === undefined
        ? []
        : [{ kind, what: path, through: holder.through }];
    });
    return [...mounted, ...kept];
  }

  /** The longest mount point that leads to a file. */
  #mountPointOf(path: string): string | null {
    const points = this.#reading.disks
      .flatMap((disk) => [disk, ...disk.volumes])
      .flatMap(({ mountPoint }) => (mountPoint === null ? [] : [mountPoint]))
      .filter((point) => point === '/' || path === point || path.startsWith(`${point}/`));
    return points.sort((one, other) => other.length - one.length)[0] ?? null;
  }

  #fileSystem({ name, content }: DiskutilVolume): string | null {
    const told = this.#reading.infos.get(name)?.fileSystem ?? null;
    if (told !== null) return cleaned(fileSystems[told] ?? told);
    return contents[content ?? ''] ?? null;
  }

  #partitions(disk: DiskutilDisk): Partition[] {
    const isTable = disk.content === null || tables.has(disk.content);
    const own = isTable && disk.mountPoint === null ? [] : [disk];
    const carried = this.#carried(disk);
    const partitions = new Map<string, DiskutilVolume>();
    for (const volume of [...own, ...disk.volumes]) partitions.set(volume.name, volume);
    return [...partitions.values()].map((volume) => ({
      name: volume.name,
      label: cleaned(volume.label),
      fileSystem: this.#fileSystem(volume),
      size: volume.size,
      used: null,
      mounts: carried
        .filter((item) => item.volume === volume || item.through.includes(volume.name))
        .flatMap((item): Mount[] => mountsOf(item.volume)),
    }));
  }
}

function mountsOf({ mountPoint }: DiskutilVolume): Mount[] {
  if (mountPoint === null) return [];
  return [{ path: mountPoint, automounted: mountPoint.startsWith('/Volumes/') }];
}

function cleaned(text: string | null): string | null {
  return text === null ? null : plainText(text) || null;
}
