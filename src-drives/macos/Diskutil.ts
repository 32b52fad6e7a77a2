import { Fields } from '../Fields.ts';
import { parsePlist } from './Plist.ts';

/** A partition or an APFS volume in `diskutil list -plist`. */
export interface DiskutilVolume {
  /** disk4s1 */
  readonly name: string;
  /** Partition type as diskutil names it: Windows_FAT_32, Apple_APFS, a GUID. */
  readonly content: string | null;
  readonly label: string | null;
  readonly size: number;
  readonly mountPoint: string | null;
}

/** A whole disk in `diskutil list -plist`: a real one, a disk image, or one that APFS makes up. */
export interface DiskutilDisk extends DiskutilVolume {
  readonly volumes: readonly DiskutilVolume[];
  /** Of an APFS container: the partitions that hold it. */
  readonly physicalStores: readonly string[];
}

/** What `diskutil info -plist DISK` knows of a disk or a partition. */
export interface DiskutilInfo {
  readonly busProtocol: string | null;
  readonly mediaName: string | null;
  readonly size: number | null;
  readonly blockSize: number | null;
  readonly removableMedia: boolean;
  readonly external: boolean;
  readonly writable: boolean | null;
  readonly virtual: boolean;
  readonly treePath: string | null;
  /** Of a partition: msdos, exfat, ntfs, apfs, hfs. */
  readonly fileSystem: string | null;
  /** Of a CoreStorage or RAID disk: the partitions that hold it. */
  readonly physicalStores: readonly string[];
}

const diskName = /^disk\d+(s\d+)*$/;

function readVolume(fields: Fields): DiskutilVolume | null {
  const name = fields.text('DeviceIdentifier');
  if (name === null || !diskName.test(name)) return null;
  return {
    name,
    content: fields.text('Content'),
    label: fields.text('VolumeName'),
    size: fields.count('Size') ?? 0,
    mountPoint: fields.text('MountPoint'),
  };
}

/** Reads `diskutil list -plist`; null for anything else. */
export function parseDiskutilList(text: string): DiskutilDisk[] | null {
  const root = Fields.of(parsePlist(text));
  if (root === null) return null;
  return root.objects('AllDisksAndPartitions').flatMap((fields) => {
    const disk = readVolume(fields);
    if (disk === null) return [];
    const volumes = [...fields.objects('Partitions'), ...fields.objects('APFSVolumes')];
    return [
      {
        ...disk,
        volumes: volumes.flatMap((volume) => [
          ...present(readVolume(volume)),
          // A sealed system volume is mounted from one of its snapshots.
          ...volume.objects('MountedSnapshots').flatMap((snapshot) => snapshotOf(volume, snapshot)),
        ]),
        physicalStores: names(fields.objects('APFSPhysicalStores'), 'DeviceIdentifier'),
      },
    ];
  });
}

function snapshotOf(volume: Fields, snapshot: Fields): DiskutilVolume[] {
  return present(readVolume(volume)).map((whole) => ({
    ...whole,
    mountPoint: snapshot.text('SnapshotMountPoint') ?? snapshot.text('MountPoint'),
  }));
}

function present<Value>(value: Value | null): Value[] {
  return value === null ? [] : [value];
}

function names(list: readonly Fields[], key: string): string[] {
  return list.flatMap((fields) => present(fields.text(key)));
}

/** Reads `diskutil info -plist DISK`; null for anything else. */
export function parseDiskutilInfo(text: string): DiskutilInfo | null {
  const fields = Fields.of(parsePlist(text));
  if (fields === null) return null;
  const busProtocol = fields.text('BusProtocol');
  return {
    busProtocol,
    mediaName: fields.text('MediaName') ?? fields.text('IORegistryEntryName'),
    size: fields.count('TotalSize') ?? fields.count('Size'),
    blockSize: fields.count('DeviceBlockSize'),
    removableMedia:
      fields.flag('RemovableMedia') ??
      fields.flag('Removable') ??
      fields.flag('Ejectable') ??
      false,
    external: fields.flag('RemovableMediaOrExternalDevice') ?? !(fields.flag('Internal') ?? true),
    writable: fields.flag('WritableMedia') ?? fields.flag('Writable'),
    virtual: fields.text('VirtualOrPhysical') === 'Virtual' || busProtocol === 'Disk Image',
    treePath: fields.text('DeviceTreePath'),
    fileSystem: fields.text('FilesystemType'),
    physicalStores: [
      ...names(fields.objects('CoreStoragePVs'), 'CoreStoragePVDisk'),
      ...names(fields.objects('APFSPhysicalStores'), 'APFSPhysicalStore'),
    ],
  };
}

/** What the I/O registry knows of a whole disk. */
export interface RegistryMedium {
  /** Given out anew whenever a medium appears. */
  readonly entryId: number | null;
  readonly usbSerial: string | null;
}

/**
 * Reads `ioreg -a -l -r -c IOUSBHostDevice` or `-c IOMedia`: the tree below each match. Gives what
 * is known of each whole disk by its name ("disk4"). Missing or broken output gives nothing.
 */
export function parseRegistry(text: string): Map<string, RegistryMedium> {
  const found = new Map<string, RegistryMedium>();
  const visit = (value: unknown, serial: string | null, depth: number): void => {
    const fields = Fields.of(value);
    if (fields === null || depth > 100) return;
    const usbSerial =
      fields.text('USB Serial Number') ?? fields.text('kUSBSerialNumberString') ?? serial;
    const name = fields.text('BSD Name');
    if (name !== null && fields.flag('Whole') === true) {
      const known = found.get(name);
      found.set(name, {
        entryId: fields.count('IORegistryEntryID') ?? known?.entryId ?? null,
        usbSerial: usbSerial ?? known?.usbSerial ?? null,
      });
    }
    for (const child of fields.list('IORegistryEntryChildren')) visit(child, usbSerial, depth + 1);
  };
  const root = parsePlist(text);
  for (const entry of Array.isArray(root) ? (root as readonly unknown[]) : [])
    visit(entry, null, 0);
  return found;
}
