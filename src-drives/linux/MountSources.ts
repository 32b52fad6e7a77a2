import type { BlockGraph } from './BlockGraph.ts';
import { mountOf, type MountEntry } from './MountTable.ts';

/** File systems that a live system unpacks itself from. */
const mediumFileSystems = new Set(['squashfs', 'erofs', 'iso9660', 'cramfs']);

/**
 * Finds the block devices that a mount or a file lies on, also where the mount has an anonymous
 * device number: btrfs, bcachefs and ZFS with several members, and the layers of an overlay.
 */
export class MountSources {
  readonly mounts: readonly MountEntry[];
  readonly #graph: BlockGraph;
  readonly #btrfsMembers: readonly (readonly string[])[];

  constructor(
    mounts: readonly MountEntry[],
    graph: BlockGraph,
    btrfsMembers: readonly (readonly string[])[],
  ) {
    this.mounts = mounts;
    this.#graph = graph;
    this.#btrfsMembers = btrfsMembers;
  }

  /** Kernel names; empty for what lies on no drive (tmpfs, network). */
  devicesOfMount(mount: MountEntry): ReadonlySet<string> {
    return this.#devices(mount, new Set());
  }

  /** As {@link devicesOfMount}, for a file or folder given by its real path. */
  devicesOfFile(path: string): ReadonlySet<string> {
    const mount = mountOf(path, this.mounts);
    return mount === null ? new Set() : this.devicesOfMount(mount);
  }

  #devices(mount: MountEntry, seen: Set<MountEntry>): Set<string> {
    const found = new Set<string>();
    if (seen.has(mount)) return found;
    seen.add(mount);
    const numbered = this.#graph.withNumber(mount.number);
    if (numbered !== null) found.add(numbered);
    // bcachefs names all members, joined by ":".
    for (const source of mount.source.split(':')) {
      const device = this.#graph.withPath(source);
      if (device !== null) found.add(device);
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
