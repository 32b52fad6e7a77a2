import type { BlockGraph } from './BlockGraph.ts';
import { isBelow, mountOf, type MountEntry } from './MountTable.ts';
import type { PathKind } from './PathKind.ts';

/** File systems that a live system unpacks itself from. */
const mediumFileSystems = new Set(['squashfs', 'erofs', 'iso9660', 'cramfs']);

/** Their mounts have no device number; the kernel itself names the members as the source. */
const poolFileSystems = new Set(['btrfs', 'bcachefs', 'zfs']);

/** FUSE without a block device of its own: fuseblk has one, and its number. */
function isFuse({ fileSystem }: MountEntry): boolean {
  return fileSystem === 'fuse' || fileSystem.startsWith('fuse.');
}

/**
 * Whether the source of a mount without a known number tells its device. Whoever mounts by FUSE
 * chooses the text of the source; the kernel shows who it was (fuse(4), user_id), and root's word
 * counts, as of fuse2fs. Any other file system with a number that sysfs does not show (a major above
 * 0) was mounted from a block device.
 */
function namesItsDevice(mount: MountEntry): boolean {
  if (isFuse(mount)) return mount.options.includes('user_id=0');
  return !mount.number.startsWith('0:') || poolFileSystems.has(mount.fileSystem);
}

/** The node of a device that was pulled; the kernel removes it and says so. */
const goneDevice =
  /^\/dev\/((xv|[hsv])d[a-z]+\d*|(mmcblk|nvme\d+n|nbd|loop|zram|md|dm-)\d+(p\d+)?) \(deleted\)$/;

/** What a file or the node of a device lies on. */
export interface Footing {
  /** "unknown": a block device, but which one cannot be told. */
  readonly kind: 'device' | 'file' | 'unknown';
  /** Kernel names. */
  readonly devices: ReadonlySet<string>;
}

/**
 * Finds the block devices that a mount or a file lies on, also where the mount has an anonymous
 * device number: btrfs, bcachefs and ZFS with several members, and the layers of an overlay.
 */
export class MountSources {
  readonly mounts: readonly MountEntry[];
  readonly #graph: BlockGraph;
  readonly #btrfsMembers: readonly (readonly string[])[];
  readonly #pathKinds: ReadonlyMap<string, PathKind | null>;

  constructor(
    mounts: readonly MountEntry[],
    graph: BlockGraph,
    btrfsMembers: readonly (readonly string[])[],
    pathKinds: ReadonlyMap<string, PathKind | null>,
  ) {
    this.mounts = mounts;
    this.#graph = graph;
    this.#btrfsMembers = btrfsMembers;
    this.#pathKinds = pathKinds;
  }

  /** Whether the kernel's table has a mount there. */
  isMountPoint(path: string): boolean {
    return this.mounts.some((mount) => mount.path === path);
  }

  /** Kernel names; empty for what lies on no drive (tmpfs, network). */
  devicesOfMount(mount: MountEntry): ReadonlySet<string> {
    return this.#devices(mount, new Set());
  }

  /** Of a file, a folder or the node of a device, by the path that the kernel gives for it. */
  footingOf(path: string): Footing {
    const kind = this.#pathKinds.get(path) ?? null;
    const number = kind?.blockNumber ?? null;
    const known = [
      number === null ? null : this.#graph.withNumber(number),
      this.#graph.withPath(path.replace(/ \(deleted\)$/, '')),
      // In the /dev of another mount namespace, which the kernel shows without its mount point.
      kind === null ? this.#graph.withPath(`/dev${path}`) : null,
    ].filter((name) => name !== null);
    if (known.length > 0) return { kind: 'device', devices: new Set(known) };
    if (number !== null || (kind === null && this.#mayBeNode(path))) {
      return { kind: 'unknown', devices: new Set() };
    }
    return { kind: 'file', devices: this.#devicesOfFile(path) };
  }

  #mayBeNode(path: string): boolean {
    const mountPoint = mountOf(path, this.mounts)?.path ?? '/';
    return isBelow(path, '/dev') && isBelow('/dev', mountPoint) && !goneDevice.test(path);
  }

  /** Anybody may cover a folder of his own by FUSE: what lies below the cover counts as well. */
  #devicesOfFile(path: string): ReadonlySet<string> {
    const found = new Set<string>();
    for (const mounts of [this.mounts, this.mounts.filter((mount) => !isFuse(mount))]) {
      const mount = mountOf(path, mounts);
      if (mount === null) continue;
      for (const device of this.devicesOfMount(mount)) found.add(device);
    }
    return found;
  }

  #devices(mount: MountEntry, seen: Set<MountEntry>): Set<string> {
    const found = new Set<string>();
    if (seen.has(mount)) return found;
    seen.add(mount);
    const numbered = this.#graph.withNumber(mount.number);
    if (numbered !== null) found.add(numbered);
    if (numbered === null && namesItsDevice(mount)) {
      // bcachefs names all members, joined by ":".
      for (const source of mount.source.split(':')) {
        const device = this.#graph.withPath(source);
        if (device !== null) found.add(device);
      }
    }
    if (mount.fileSystem === 'btrfs') {
      for (const member of this.#btrfsMembersOf(found)) found.add(member);
    }
    if (mount.fileSystem === 'zfs')
      for (const member of this.#poolMembers(mount)) found.add(member);
    for (const layer of this.#layers(mount)) {
      for (const device of this.#devices(layer, seen)) found.add(device);
    }
    return found;
  }

  /** All members of the file system; of every one where its source is a name that leads nowhere. */
  #btrfsMembersOf(found: ReadonlySet<string>): readonly string[] {
    return this.#btrfsMembers
      .filter((members) => found.size === 0 || members.some((member) => found.has(member)))
      .flat();
  }

  /**
   * The kernel does not tell which devices a ZFS pool has. libblkid gives the pool's name as the
   * label of each member; a member without a readable label may belong to any pool.
   */
  #poolMembers(mount: MountEntry): string[] {
    const [pool] = mount.source.split('/');
    return [...this.#graph.nodes.values()]
      .filter(({ fileSystem }) => fileSystem === 'zfs_member')
      .filter(({ label }) => label === null || label === pool)
      .map(({ name }) => name);
  }

  #layers(mount: MountEntry): MountEntry[] {
    if (mount.fileSystem !== 'overlay' && mount.fileSystem !== 'aufs') return [];
    const folders = mount.options.flatMap((option) => {
      const layer = /^(?:lowerdir|upperdir|workdir)\+?=(.*)$/s.exec(option)?.[1];
      return layer === undefined ? [] : layer.split(/(?<!\\):+/);
    });
    const layers = folders
      .filter((folder) => folder.startsWith('/'))
      .map((folder) => mountOf(folder, this.mounts))
      .filter((layer) => layer !== null);
    // The layers of a live system's root are named as its first stage saw them, before the root
    // was changed: they may lead nowhere now, so its media count as layers too.
    const media =
      mount.path === '/'
        ? this.mounts.filter(
            ({ fileSystem, path }) =>
              mediumFileSystems.has(fileSystem) && !path.startsWith('/snap/'),
          )
        : [];
    return [...layers, ...media];
  }
}
