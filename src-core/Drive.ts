/** How a drive is attached; decides, with other facts, whether it may be flashed. */
export type Bus =
  | 'usb'
  | 'sd'
  | 'emmc'
  | 'thunderbolt'
  | 'firewire'
  | 'sata'
  | 'nvme'
  | 'virtio'
  | 'virtual'
  | 'other';

/** What something on the drive is used for by the running system. */
export type UseKind = 'root' | 'boot' | 'system' | 'swap' | 'program' | 'image' | 'cache';

/** A use of the drive by the running system, followed through partitions, LVM, LUKS and RAID. */
export interface DriveUse {
  readonly kind: UseKind;
  /** What carries it, as a person knows it: a mount point, a swap device, a file. */
  readonly what: string;
  /** The devices between the drive and that use, outermost last: ["sdb2", "md0", "vg-swap"]. */
  readonly through: readonly string[];
}

export interface Mount {
  readonly path: string;
  /** Mounted by the desktop for the user (/media, /run/media, /Volumes, a drive letter). */
  readonly automounted: boolean;
}

export interface Partition {
  /** Kernel name or identifier, for example "sdb1" or "disk4s1". */
  readonly name: string;
  readonly label: string | null;
  /** Lower-case type as libblkid names it: vfat, exfat, ext4, ntfs, apfs, LVM2_member, crypto_LUKS ... */
  readonly fileSystem: string | null;
  /** Bytes. */
  readonly size: number;
  /** Bytes in use, where it is mounted and known. */
  readonly used: number | null;
  readonly mounts: readonly Mount[];
}

/** A drive as a scan of the machine saw it: facts only, no judgement. */
export interface Drive {
  /** Absolute path of the whole device: /dev/sdb, /dev/disk4, \\.\PhysicalDrive2. */
  readonly path: string;
  /** Kernel name: sdb, mmcblk0, disk4, PhysicalDrive2. */
  readonly name: string;
  /** Cleaned of control and bidirectional characters, never empty: "Generic MassStorageClass". */
  readonly label: string;
  readonly serial: string | null;
  readonly wwn: string | null;
  /** Linux: /sys/block/X/diskseq, which changes whenever the name is reused. */
  readonly sequence: number | null;
  /** Stable path of the reader slot, where the bus shows one: "usb-0:1.2:1.0-scsi-0:0:0:1". */
  readonly slot: string | null;
  /** Card identification register of an SD card on a native host, in hex. */
  readonly cardId: string | null;
  /** Bytes; 0 without a medium. */
  readonly size: number;
  /** Bytes: the smallest unit that can be addressed. */
  readonly logicalBlockSize: number;
  readonly bus: Bus;
  /** The kernel's removable flag (the medium can leave the drive). */
  readonly removable: boolean;
  readonly readOnly: boolean;
  readonly hasMedium: boolean;
  /** loop, zram, nbd, ram, device-mapper, disk images. */
  readonly virtual: boolean;
  readonly partitions: readonly Partition[];
  readonly uses: readonly DriveUse[];
  /** Files open on the drive: names of the programs that hold them, where they could be seen. */
  readonly openedBy: readonly string[];
  /** The drive did not tell what is on it, so that anything may be. */
  readonly contentUnread: boolean;
  /** A flash of this card did not finish: its marker was seen. */
  readonly unfinished: boolean;
}

/**
 * Label of the swap area that stands at the beginning of a card while its flash is under way, so
 * that libblkid, and with it any unprivileged scan, sees it.
 */
export const UNFINISHED_LABEL = 'BW-UNFINISHED';

/** What must still be true of a drive when the writer opens it. */
export interface DriveIdentity {
  readonly size: number;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly sequence: number | null;
}

export function identityOf(drive: Drive): DriveIdentity {
  return { size: drive.size, serial: drive.serial, wwn: drive.wwn, sequence: drive.sequence };
}

/** The first property in which a drive differs from the one that was chosen, or null. */
export function identityDifference(
  chosen: DriveIdentity,
  seen: DriveIdentity,
): keyof DriveIdentity | null {
  const properties = ['sequence', 'serial', 'wwn', 'size'] as const;
  return properties.find((property) => chosen[property] !== seen[property]) ?? null;
}
