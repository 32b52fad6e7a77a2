import type { ToolRun } from '../ToolRunner.ts';
import { Fields } from '../Fields.ts';

/** One block device as lsblk printed it. Null: not printed, or not known to lsblk. */
export interface LsblkDevice {
  /** Kernel name: sdb1, dm-0. */
  readonly name: string;
  /** Name for people, where it differs: the mapper name of a dm device. */
  readonly alias: string;
  /** "major:minor". */
  readonly number: string | null;
  /** disk, part, lvm, crypt, raid1, loop, rom ... */
  readonly type: string | null;
  readonly size: number | null;
  readonly readOnly: boolean | null;
  readonly removable: boolean | null;
  readonly fileSystem: string | null;
  readonly label: string | null;
  readonly partitionLabel: string | null;
  readonly vendor: string | null;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly transport: string | null;
  readonly logicalBlockSize: number | null;
  /** "[SWAP]" stands for a swap area in use. */
  readonly mountPoints: readonly string[];
}

export interface LsblkReading {
  readonly devices: ReadonlyMap<string, LsblkDevice>;
  /** Pairs of kernel names: what lies on what. */
  readonly edges: readonly (readonly [parent: string, child: string])[];
}

export const nothingListed: LsblkReading = { devices: new Map(), edges: [] };

/**
 * Columns that util-linux has had since 2.33 (Debian 11 has 2.36); MOUNTPOINTS came with 2.37 and
 * is not needed, since mounts are read from the kernel. An unknown column would end lsblk.
 */
const columns = [
  'NAME,KNAME,MAJ:MIN,TYPE,SIZE,RO,RM,FSTYPE,LABEL,PARTLABEL',
  'VENDOR,MODEL,SERIAL,WWN,TRAN,LOG-SEC,MOUNTPOINT',
].join(',');

export const lsblkRun: ToolRun = {
  tool: ['/usr/bin/lsblk', '/bin/lsblk', '/run/current-system/sw/bin/lsblk'],
  arguments: ['--json', '--bytes', '--all', '--output', columns],
  timeout: 2000,
};

/** Deeper than any real stack of partitions, RAID, LUKS and LVM. */
const DEEPEST = 32;
const MOST_DEVICES = 8192;

/**
 * Reads what `lsblk --json` printed (lsblk(8)), of any version: numbers and flags may be quoted,
 * `mountpoints` may be there or not. What cannot be read is left out; text that is no JSON at all
 * reads as null.
 */
export function parseLsblk(text: string): LsblkReading | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const root = Fields.of(parsed);
  if (root === null) return null;
  const devices = new Map<string, LsblkDevice>();
  const edges: (readonly [string, string])[] = [];
  const take = (fields: Fields, parent: string | null, depth: number): void => {
    const device = readDevice(fields);
    if (device === null || depth > DEEPEST || edges.length > MOST_DEVICES) return;
    if (devices.size >= MOST_DEVICES) return;
    devices.set(device.name, device);
    if (parent !== null && parent !== device.name) edges.push([parent, device.name]);
    for (const child of fields.objects('children')) take(child, device.name, depth + 1);
  };
  for (const fields of root.objects('blockdevices')) take(fields, null, 0);
  return { devices, edges };
}

function readDevice(fields: Fields): LsblkDevice | null {
  const alias = fields.text('name');
  const name = fields.text('kname') ?? alias;
  if (name === null || alias === null || name.length > 255 || name.includes('\0')) return null;
  const single = fields.text('mountpoint');
  return {
    name,
    alias,
    number: fields.text('maj:min'),
    type: fields.text('type'),
    size: fields.count('size'),
    readOnly: fields.flag('ro'),
    removable: fields.flag('rm'),
    fileSystem: fields.text('fstype'),
    label: fields.text('label'),
    partitionLabel: fields.text('partlabel'),
    vendor: fields.text('vendor'),
    model: fields.text('model'),
    serial: fields.text('serial'),
    wwn: fields.text('wwn'),
    transport: fields.text('tran'),
    logicalBlockSize: fields.count('log-sec'),
    mountPoints: [
      ...new Set([...(single === null ? [] : [single]), ...fields.texts('mountpoints')]),
    ],
  };
}
