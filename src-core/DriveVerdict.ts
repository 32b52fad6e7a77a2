import type { Bus, Drive, UseKind } from './Drive.ts';
import { plainText } from './PlainText.ts';

/** Why a drive is refused. Nothing but `virtual` can be overridden. */
export type RefusalReason =
  | 'carries-root'
  | 'carries-boot'
  | 'carries-system'
  | 'carries-swap'
  | 'carries-program'
  | 'holds-image'
  | 'holds-cache'
  | 'read-only'
  | 'too-small'
  | 'no-medium'
  | 'internal-bus'
  | 'unknown-bus'
  | 'virtual';

/** Why a drive needs `--allow-warned`, or to be confirmed by name. */
export type WarningReason =
  | 'large'
  | 'not-removable'
  | 'foreign-file-system'
  | 'content-unread'
  | 'mounted-elsewhere'
  | 'files-in-use';

/** Shown and never blocking. */
export type NoteReason = 'mounted' | 'holds-data' | 'unfinished';

export type DriveReason = RefusalReason | WarningReason | NoteReason;

export interface ReasonGiven<Reason extends DriveReason = DriveReason> {
  readonly code: Reason;
  /** What it is about, as a person knows it: "/boot through md0", "ntfs on sdb1", a size in bytes. */
  readonly about: string;
}

export interface DriveVerdict {
  readonly verdict: 'allowed' | 'warned' | 'refused';
  readonly refusals: readonly ReasonGiven<RefusalReason>[];
  readonly warnings: readonly ReasonGiven<WarningReason>[];
  readonly notes: readonly ReasonGiven<NoteReason>[];
}

export interface VerdictRequest {
  /** Bytes the image needs; null while no image is chosen. */
  readonly imageSize: number | null;
  readonly allowVirtual: boolean;
}

/**
 * Bytes above which a drive is unlikely to be a card for a box. Drives sold as 256 GB hold up to
 * 256.7e9 bytes, the next size on the market is 300 GB; 256 GiB lies between them.
 */
export const LARGE_DRIVE = 256 * 2 ** 30;

/** Internal wherever they are met: a card never sits on them. */
const internalBuses: ReadonlySet<Bus> = new Set(['sata', 'nvme', 'emmc', 'virtio']);

/** External disks come on these as well as built-in ones: only what the system calls removable counts. */
const externalWhenRemovable: ReadonlySet<Bus> = new Set(['thunderbolt', 'firewire']);

/**
 * What a computer's or a photographer's disk carries and a box's card does not: names of libblkid,
 * in lower case.
 */
const foreignFileSystems: ReadonlySet<string> = new Set([
  'ntfs',
  'refs',
  'bitlocker',
  'ldm',
  'storage-spaces',
  'apfs',
  'hfs',
  'hfsplus',
  'apple_corestorage',
  'apple_raid',
  'lvm1_member',
  'lvm2_member',
  'crypto_luks',
  'linux_raid_member',
  'ddf_raid_member',
  'isw_raid_member',
  'zfs_member',
  'bcache',
  'bcachefs',
  'stratis',
  'drbd',
  'ceph_bluestore',
  'vmfs_volume_member',
]);

function isForeign(fileSystem: string): boolean {
  return foreignFileSystems.has(fileSystem.toLowerCase());
}

/** What a rule found on the drive; one reason is given for each. Empty: the rule does not apply. */
type Findings = (drive: Drive, request: VerdictRequest) => readonly string[];

interface RuleOf<Level extends keyof typeof levels, Reason extends DriveReason> {
  readonly level: Level;
  readonly code: Reason;
  readonly findings: Findings;
}

type Rule =
  RuleOf<'refusal', RefusalReason> | RuleOf<'warning', WarningReason> | RuleOf<'note', NoteReason>;

const levels = { refusal: 'refused', warning: 'warned', note: 'allowed' } as const;

function when(condition: boolean, about: string): readonly string[] {
  return condition ? [about] : [];
}

function carries(kind: UseKind): Findings {
  return (drive) =>
    drive.uses
      .filter((use) => use.kind === kind)
      .map(({ what, through }) =>
        through.length === 0 ? what : `${what} through ${through.join(', ')}`,
      );
}

function isInternal({ bus, removable }: Drive): boolean {
  return internalBuses.has(bus) || (externalWhenRemovable.has(bus) && !removable);
}

/** Where the drive, its partitions and what lies on them are mounted, but for what the system needs. */
function mountPoints(drive: Drive, automounted: boolean): readonly string[] {
  return drive.partitions.flatMap(({ mounts }) =>
    mounts
      .filter((mount) => mount.automounted === automounted)
      .map(({ path }) => path)
      .filter((path) => !drive.uses.some(({ what }) => what === path)),
  );
}

function fileSystems(drive: Drive, foreign: boolean): readonly string[] {
  return drive.partitions.flatMap(({ name, fileSystem }) =>
    fileSystem !== null && isForeign(fileSystem) === foreign ? [`${fileSystem} on ${name}`] : [],
  );
}

/** Every rule, most serious first. A reason keeps this order in the verdict. */
const rules: readonly Rule[] = [
  { level: 'refusal', code: 'carries-root', findings: carries('root') },
  { level: 'refusal', code: 'carries-boot', findings: carries('boot') },
  { level: 'refusal', code: 'carries-system', findings: carries('system') },
  { level: 'refusal', code: 'carries-swap', findings: carries('swap') },
  { level: 'refusal', code: 'carries-program', findings: carries('program') },
  { level: 'refusal', code: 'holds-image', findings: carries('image') },
  { level: 'refusal', code: 'holds-cache', findings: carries('cache') },
  {
    level: 'refusal',
    code: 'internal-bus',
    findings: (drive) => when(isInternal(drive), drive.bus),
  },
  {
    level: 'refusal',
    code: 'unknown-bus',
    findings: (drive) => when(drive.bus === 'other', drive.bus),
  },
  {
    level: 'refusal',
    code: 'virtual',
    findings: (drive, request) =>
      when((drive.virtual || drive.bus === 'virtual') && !request.allowVirtual, drive.name),
  },
  {
    level: 'refusal',
    code: 'no-medium',
    findings: (drive) => when(!drive.hasMedium, drive.name),
  },
  {
    level: 'refusal',
    code: 'read-only',
    findings: (drive) => when(drive.readOnly && drive.hasMedium, drive.name),
  },
  {
    level: 'refusal',
    code: 'too-small',
    findings: (drive, { imageSize }) =>
      when(drive.hasMedium && imageSize !== null && drive.size < imageSize, String(drive.size)),
  },
  {
    level: 'warning',
    code: 'large',
    findings: (drive) => when(drive.size > LARGE_DRIVE, String(drive.size)),
  },
  {
    level: 'warning',
    code: 'not-removable',
    findings: (drive) => when(drive.bus === 'usb' && !drive.removable, drive.bus),
  },
  {
    level: 'warning',
    code: 'foreign-file-system',
    findings: (drive) => fileSystems(drive, true),
  },
  {
    level: 'warning',
    code: 'content-unread',
    findings: (drive) => when(drive.contentUnread && drive.hasMedium, drive.name),
  },
  {
    level: 'warning',
    code: 'mounted-elsewhere',
    findings: (drive) => mountPoints(drive, false),
  },
  { level: 'warning', code: 'files-in-use', findings: (drive) => drive.openedBy },
  {
    level: 'note',
    code: 'unfinished',
    findings: (drive) => when(drive.unfinished, drive.name),
  },
  { level: 'note', code: 'mounted', findings: (drive) => mountPoints(drive, true) },
  { level: 'note', code: 'holds-data', findings: (drive) => fileSystems(drive, false) },
];

/**
 * Whether a drive may be flashed, and every reason for and against, each list most serious first.
 * Pure: the program and the privileged supervisor come to the same verdict from the same facts.
 */
export function classifyDrive(drive: Drive, request: VerdictRequest): DriveVerdict {
  const refusals: ReasonGiven<RefusalReason>[] = [];
  const warnings: ReasonGiven<WarningReason>[] = [];
  const notes: ReasonGiven<NoteReason>[] = [];
  for (const rule of rules) {
    for (const found of new Set(rule.findings(drive, request))) {
      const about = plainText(found);
      if (rule.level === 'refusal') refusals.push({ code: rule.code, about });
      else if (rule.level === 'warning') warnings.push({ code: rule.code, about });
      else notes.push({ code: rule.code, about });
    }
  }
  const worst = refusals.length > 0 ? 'refusal' : warnings.length > 0 ? 'warning' : 'note';
  return { verdict: levels[worst], refusals, warnings, notes };
}
