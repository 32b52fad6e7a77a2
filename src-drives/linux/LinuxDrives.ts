import {
  UNFINISHED_LABEL,
  type Drive,
  type DriveUse,
  type Mount,
  type Partition,
  type UseKind,
} from '../../src-core/Drive.ts';
import { plainText } from '../../src-core/PlainText.ts';
import { driveLabel } from '../DriveLabel.ts';
import type { KeptFile } from '../KeptFile.ts';
import type { ProbedContent } from './Blkid.ts';
import { BlockGraph, devicePath, type BlockNode } from './BlockGraph.ts';
import { linuxBus, slotOf } from './LinuxBus.ts';
import { nothingListed, type LsblkReading } from './Lsblk.ts';
import { isAutomounted, useOfMount } from './MountPlace.ts';
import { MountSources } from './MountSources.ts';
import type { MountEntry, SwapArea } from './MountTable.ts';
import type { SysBlockDevice } from './SysBlock.ts';

/** All that was read of a Linux machine. */
export interface LinuxReading {
  /** null where lsblk is not there or did not answer. */
  readonly lsblk: LsblkReading | null;
  /** By device path; empty where lsblk told them. */
  readonly probed: ReadonlyMap<string, ProbedContent>;
  readonly sysDevices: readonly SysBlockDevice[];
  readonly btrfsMembers: readonly (readonly string[])[];
  readonly mounts: readonly MountEntry[];
  readonly swaps: readonly SwapArea[];
  readonly keptFiles: readonly KeptFile[];
}

/** Hardware partitions of an eMMC: no drives of their own (mmcblk0boot0, mmcblk0rpmb, mmcblk0gp0). */
const hardwarePartition = /^mmcblk\d+(boot|rpmb|gp)\d*$/;

/** Types of lsblk that are built on other devices, or are no disks. */
const notWhole = new Set(['part', 'lvm', 'crypt', 'dm', 'mpath', 'rom', 'linear', 'md']);

function isWholeDrive({ name, sys, listed }: BlockNode): boolean {
  if (/^(dm-|md|sr|fd)\d/.test(name) || hardwarePartition.test(name)) return false;
  const type = listed?.type ?? null;
  if (type !== null && (notWhole.has(type) || type.startsWith('raid'))) return false;
  if (sys === null) return true;
  return !sys.hidden && sys.wholeDisk === null && sys.slaves.length === 0 && sys.scsiType !== '5';
}

/** What the system, the program and its files lie on: per device, in the order found. */
function usesByDevice(reading: LinuxReading, graph: BlockGraph, sources: MountSources) {
  const uses = new Map<string, { kind: UseKind; what: string }[]>();
  const add = (devices: Iterable<string>, kind: UseKind, what: string): void => {
    for (const device of devices) {
      const known = uses.get(device) ?? [];
      if (!known.some((use) => use.kind === kind && use.what === what)) known.push({ kind, what });
      uses.set(device, known);
    }
  };
  for (const mount of sources.mounts) {
    const kind = useOfMount(mount.path);
    if (kind !== null) add(sources.devicesOfMount(mount), kind, mount.path);
  }
  for (const { path } of reading.swaps) {
    const device = graph.withPath(path);
    add(device === null ? sources.devicesOfFile(path) : [device], 'swap', path);
  }
  for (const { name, listed } of graph.nodes.values()) {
    for (const path of listed?.mountPoints ?? []) {
      const kind = path === '[SWAP]' ? 'swap' : useOfMount(path);
      if (kind !== null) add([name], kind, path === '[SWAP]' ? devicePath(name) : path);
    }
  }
  for (const { kind, path, realPath } of reading.keptFiles) {
    add(sources.devicesOfFile(realPath), kind, path);
  }
  return uses;
}

/** Where each device is mounted, from the mount table and from lsblk. */
function mountsByDevice(graph: BlockGraph, sources: MountSources): Map<string, Set<string>> {
  const mounts = new Map<string, Set<string>>();
  const add = (device: string, path: string): void => {
    mounts.set(device, (mounts.get(device) ?? new Set()).add(path));
  };
  for (const mount of sources.mounts) {
    for (const device of sources.devicesOfMount(mount)) add(device, mount.path);
  }
  for (const { name, listed } of graph.nodes.values()) {
    for (const path of listed?.mountPoints ?? []) if (path.startsWith('/')) add(name, path);
  }
  return mounts;
}

/** Makes drives of what was read. Pure. */
export class LinuxDrives {
  readonly #graph: BlockGraph;
  readonly #uses: ReadonlyMap<string, readonly { kind: UseKind; what: string }[]>;
  readonly #mounts: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(reading: LinuxReading) {
    const graph = new BlockGraph(
      reading.sysDevices,
      reading.lsblk ?? nothingListed,
      reading.probed,
    );
    const sources = new MountSources(reading.mounts, graph, reading.btrfsMembers);
    // A loop device lies on the drive that holds its file: a live system's root does.
    for (const { name, backingFile } of reading.sysDevices) {
      if (backingFile === null) continue;
      for (const device of sources.devicesOfFile(backingFile)) graph.addEdge(device, name);
    }
    this.#graph = graph;
    this.#uses = usesByDevice(reading, graph, sources);
    this.#mounts = mountsByDevice(graph, sources);
  }

  /** Every whole drive, virtual ones only when something is in them. */
  drives(): Drive[] {
    return [...this.#graph.nodes.values()]
      .filter(isWholeDrive)
      .map((node) => this.#drive(node))
      .filter(({ virtual, size }) => !virtual || size > 0)
      .sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }));
  }

  #drive(node: BlockNode): Drive {
    const { name, sys, listed } = node;
    const bus = linuxBus(node);
    const size = sys?.size ?? listed?.size ?? 0;
    return {
      path: devicePath(name),
      name,
      label: driveLabel(
        [listed?.vendor ?? sys?.vendor ?? null, listed?.model ?? sys?.model ?? null],
        name,
      ),
      serial: cleaned(sys?.serial ?? listed?.serial ?? null),
      wwn: cleaned(listed?.wwn ?? sys?.wwn ?? null),
      sequence: sys?.sequence ?? null,
      slot: sys === null ? null : slotOf(sys.devicePath),
      cardId: bus === 'sd' ? cleaned(sys?.cardId ?? null) : null,
      size,
      logicalBlockSize: sys?.logicalBlockSize ?? listed?.logicalBlockSize ?? 512,
      bus,
      removable: bus === 'thunderbolt' ? true : (sys?.removable ?? listed?.removable ?? false),
      readOnly: sys?.readOnly ?? listed?.readOnly ?? false,
      hasMedium: size > 0,
      virtual: bus === 'virtual',
      partitions: this.#partitions(node),
      uses: this.#usesOf(name),
      openedBy: this.#graph
        .descendants(name)
        .map((descendant) => descendant.name)
        .filter((device) => device !== name && isLoopDevice(device)),
      unfinished: node.fileSystem === 'swap' && node.label === UNFINISHED_LABEL,
    };
  }

  #usesOf(drive: string): DriveUse[] {
    return this.#graph
      .descendants(drive)
      .flatMap(({ name, through }) =>
        (this.#uses.get(name) ?? []).map(({ kind, what }) => ({ kind, what, through })),
      );
  }

  #partitions({ name, label }: BlockNode): Partition[] {
    const partitions = this.#graph
      .descendants(name)
      .filter(({ name: child, through }) => through.length === 1 && this.#isPartition(child))
      .map(({ name: child }) => this.#partition(child))
      .sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }));
    const whole = this.#partition(name, partitions);
    const isUnfinished = label === UNFINISHED_LABEL;
    const holdsSomething = whole.fileSystem !== null && partitions.length === 0 && !isUnfinished;
    return holdsSomething || whole.mounts.length > 0 ? [whole, ...partitions] : partitions;
  }

  #isPartition(name: string): boolean {
    const node = this.#graph.nodes.get(name);
    return (node?.sys?.wholeDisk ?? null) !== null || node?.listed?.type === 'part';
  }

  /** A partition, or the whole drive as one, with what is mounted from it and from what it carries. */
  #partition(name: string, besides: readonly Partition[] = []): Partition {
    const node = this.#graph.nodes.get(name);
    const elsewhere = new Set(besides.flatMap(({ mounts }) => mounts.map(({ path }) => path)));
    const paths = this.#graph
      .descendants(name)
      .filter(({ through }) => !through.some(isLoopDevice))
      .flatMap(({ name: device }) => [...(this.#mounts.get(device) ?? [])])
      .filter((path) => !elsewhere.has(path));
    return {
      name,
      label: cleaned(node?.label ?? node?.listed?.partitionLabel ?? null),
      fileSystem: cleaned(node?.fileSystem ?? null),
      size: node?.sys?.size ?? node?.listed?.size ?? 0,
      used: null,
      mounts: [...new Set(paths)].map((path): Mount => ({
        path,
        automounted: isAutomounted(path),
      })),
    };
  }
}

/** The file behind it is open; what is mounted from it is no mount of the partition with the file. */
function isLoopDevice(name: string): boolean {
  return /^loop\d+$/.test(name);
}

function cleaned(text: string | null): string | null {
  return text === null ? null : plainText(text) || null;
}
