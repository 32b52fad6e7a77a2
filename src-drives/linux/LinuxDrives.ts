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
import type { PathKind } from './PathKind.ts';
import type { SysBlockDevice } from './SysBlock.ts';

/** All that was read of a Linux machine. */
export interface LinuxReading {
  /** null where lsblk is not there or did not answer. */
  readonly lsblk: LsblkReading | null;
  /** By device path, null for one that did not answer; empty where lsblk told them. */
  readonly probed: ReadonlyMap<string, ProbedContent | null>;
  readonly sysDevices: readonly SysBlockDevice[];
  readonly btrfsMembers: readonly (readonly string[])[];
  readonly mounts: readonly MountEntry[];
  readonly swaps: readonly SwapArea[];
  readonly keptFiles: readonly KeptFile[];
  /** What stands at the files behind loop devices, at swap areas and at kept files. */
  readonly pathKinds: ReadonlyMap<string, PathKind | null>;
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

/** The loop devices by what is behind them. */
interface LoopDevices {
  /** On a file: while it is attached, the file keeps its file system from being unmounted. */
  readonly onFiles: ReadonlySet<string>;
  /** On a block device, which takes no exclusive claim: the device can still be opened and written. */
  readonly onDevices: ReadonlySet<string>;
  /** By name, what is behind it: a block device that cannot be told. */
  readonly onUnknown: ReadonlyMap<string, string>;
}

/** Puts every loop device on the drive that holds what is behind it: a live system's root is one. */
function placeLoops(reading: LinuxReading, graph: BlockGraph, sources: MountSources): LoopDevices {
  const onFiles = new Set<string>();
  const onDevices = new Set<string>();
  const onUnknown = new Map<string, string>();
  for (const { name, backingFile } of reading.sysDevices) {
    if (backingFile === null) continue;
    const { kind, devices } = sources.footingOf(backingFile);
    for (const device of devices) graph.addEdge(device, name);
    if (kind === 'unknown') onUnknown.set(name, backingFile);
    else (kind === 'device' ? onDevices : onFiles).add(name);
  }
  return { onFiles, onDevices, onUnknown };
}

/** What the system, the program and its files lie on: per device, in the order found. */
function usesByDevice(
  reading: LinuxReading,
  graph: BlockGraph,
  sources: MountSources,
  mounts: ReadonlyMap<string, ReadonlySet<string>>,
  loops: LoopDevices,
) {
  const wholeDrives = [...graph.nodes.values()].filter(isWholeDrive).map(({ name }) => name);
  const carriersOf = (path: string): Iterable<string> => {
    const { kind, devices } = sources.footingOf(path);
    return kind === 'unknown' ? wholeDrives : devices;
  };
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
  for (const { path } of reading.swaps) add(carriersOf(path), 'swap', path);
  for (const { name, listed } of graph.nodes.values()) {
    for (const path of listedMountPoints(listed, sources)) {
      const kind = path === '[SWAP]' ? 'swap' : useOfMount(path);
      if (kind !== null) add([name], kind, path === '[SWAP]' ? devicePath(name) : path);
    }
  }
  for (const { kind, path, realPath } of reading.keptFiles) add(carriersOf(realPath), kind, path);
  for (const [loop, behind] of loops.onUnknown) {
    const above = new Set(graph.descendants(loop).map(({ name }) => name));
    const below = wholeDrives.filter((name) => !above.has(name));
    add(below, 'system', behind);
  }
  for (const { name } of [...loops.onDevices].flatMap((loop) => graph.descendants(loop))) {
    for (const what of usesUnclaimed(name, graph, mounts)) add([name], 'system', what);
  }
  return uses;
}

/**
 * What keeps a device in use above a loop device that lies on a whole drive or a partition. Nobody
 * unmounts it for a flash, and the kernel would let the drive below be written.
 */
function usesUnclaimed(
  name: string,
  graph: BlockGraph,
  mounts: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const isBuilt = (graph.nodes.get(name)?.sys?.slaves.length ?? 0) > 0;
  const mounted = [...(mounts.get(name) ?? [])].filter((path) => useOfMount(path) === null);
  return [...(isBuilt ? [devicePath(name)] : []), ...mounted];
}

/**
 * Where lsblk says that a device is mounted, but for what the kernel's own table has: lsblk takes a
 * mount's source for its device, and whoever mounts by FUSE chooses that text.
 */
function listedMountPoints(listed: BlockNode['listed'], sources: MountSources): readonly string[] {
  return listed?.mountPoints.filter((path) => !sources.isMountPoint(path)) ?? [];
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
    for (const path of listedMountPoints(listed, sources)) {
      if (path.startsWith('/')) add(name, path);
    }
  }
  return mounts;
}

/** Makes drives of what was read. Pure. */
export class LinuxDrives {
  readonly #graph: BlockGraph;
  readonly #uses: ReadonlyMap<string, readonly { kind: UseKind; what: string }[]>;
  readonly #mounts: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #loops: LoopDevices;

  constructor(reading: LinuxReading) {
    const graph = new BlockGraph(
      reading.sysDevices,
      reading.lsblk ?? nothingListed,
      reading.probed,
    );
    const { mounts, btrfsMembers, pathKinds } = reading;
    const sources = new MountSources(mounts, graph, btrfsMembers, pathKinds);
    this.#graph = graph;
    this.#loops = placeLoops(reading, graph, sources);
    this.#mounts = mountsByDevice(graph, sources);
    this.#uses = usesByDevice(reading, graph, sources, this.#mounts, this.#loops);
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
        .filter((device) => device !== name && this.#isAttachedLoop(device)),
      contentUnread: node.contentUnread,
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

  #isAttachedLoop(name: string): boolean {
    return this.#loops.onFiles.has(name) || this.#loops.onDevices.has(name);
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
      .filter(({ through }) => !through.some((device) => this.#loops.onFiles.has(device)))
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

function cleaned(text: string | null): string | null {
  return text === null ? null : plainText(text) || null;
}
