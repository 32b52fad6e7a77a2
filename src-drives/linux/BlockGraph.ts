import type { ProbedContent } from './Blkid.ts';
import type { LsblkDevice, LsblkReading } from './Lsblk.ts';
import type { SysBlockDevice } from './SysBlock.ts';

/** A block device as both sources know it. At least one of them is there. */
export interface BlockNode {
  readonly name: string;
  readonly sys: SysBlockDevice | null;
  readonly listed: LsblkDevice | null;
  /** As lsblk tells them, or as they were read from the device itself. */
  readonly fileSystem: string | null;
  readonly label: string | null;
  /** The device did not tell what is on it. */
  readonly contentUnread: boolean;
}

/** A device on top of a drive, with the names of those between (the device itself last). */
export interface Descendant {
  readonly name: string;
  readonly through: readonly string[];
}

/**
 * What lies on what: partitions on disks, RAID, LUKS and LVM on partitions, loop devices on the
 * drive that holds their file. Joined from the kernel's own links and from lsblk's tree, so that
 * either is enough.
 */
export class BlockGraph {
  readonly nodes: ReadonlyMap<string, BlockNode>;
  readonly #children = new Map<string, Set<string>>();
  readonly #byNumber = new Map<string, string>();
  readonly #byPath = new Map<string, string>();

  constructor(
    sysDevices: readonly SysBlockDevice[],
    lsblk: LsblkReading,
    probed: ReadonlyMap<string, ProbedContent | null>,
  ) {
    const seen = new Map(sysDevices.map((device) => [device.name, device]));
    const nodes = new Map<string, BlockNode>();
    for (const name of new Set([...seen.keys(), ...lsblk.devices.keys()])) {
      const listed = lsblk.devices.get(name) ?? null;
      const isTold = listed !== null && listed.fileSystem !== null;
      const content = isTold ? listed : probed.get(devicePath(name));
      nodes.set(name, {
        name,
        sys: seen.get(name) ?? null,
        listed,
        fileSystem: content?.fileSystem ?? null,
        label: content?.label ?? null,
        contentUnread: content === null,
      });
    }
    this.nodes = nodes;
    for (const node of nodes.values()) this.#index(node);
    for (const [parent, child] of lsblk.edges) this.addEdge(parent, child);
    for (const { name, wholeDisk, slaves } of sysDevices) {
      if (wholeDisk !== null) this.addEdge(wholeDisk, name);
      for (const slave of slaves) this.addEdge(slave, name);
    }
  }

  #index(node: BlockNode): void {
    const number = node.sys?.number ?? node.listed?.number ?? null;
    if (number !== null) this.#byNumber.set(number, node.name);
    this.#byPath.set(devicePath(node.name), node.name);
    const alias = node.sys?.mapperName ?? node.listed?.alias ?? node.name;
    if (alias !== node.name) this.#byPath.set(`/dev/mapper/${alias}`, node.name);
    else if (!this.#byPath.has(`/dev/mapper/${node.name}`)) {
      this.#byPath.set(`/dev/mapper/${node.name}`, node.name);
    }
  }

  addEdge(parent: string, child: string): void {
    if (parent === child || !this.nodes.has(parent) || !this.nodes.has(child)) return;
    const children = this.#children.get(parent) ?? new Set();
    this.#children.set(parent, children.add(child));
  }

  /** The device of a "major:minor" number. */
  withNumber(number: string): string | null {
    return number.startsWith('0:') ? null : (this.#byNumber.get(number) ?? null);
  }

  /** The device of a path below /dev that is no symbolic link. */
  withPath(path: string): string | null {
    return this.#byPath.get(path) ?? null;
  }

  /** What a person calls it: the mapper name of a dm device, the kernel name of any other. */
  displayName(name: string): string {
    const node = this.nodes.get(name);
    return node?.sys?.mapperName ?? node?.listed?.alias ?? name;
  }

  /** Everything on top of a device, nearest first; the device itself with an empty `through`. */
  descendants(name: string): Descendant[] {
    const found: Descendant[] = [{ name, through: [] }];
    const seen = new Set([name]);
    for (const { name: current, through } of found) {
      for (const child of this.#children.get(current) ?? []) {
        if (seen.has(child)) continue;
        seen.add(child);
        found.push({ name: child, through: [...through, this.displayName(child)] });
      }
    }
    return found;
  }
}

/** The path of a device; the kernel writes "!" in a name where its path has "/". */
export function devicePath(name: string): string {
  return `/dev/${name.replaceAll('!', '/')}`;
}
