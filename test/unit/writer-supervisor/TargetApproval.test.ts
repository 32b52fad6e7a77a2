import { expect, test } from 'vitest';
import { identityOf } from '../../../src-core/Drive.ts';
import type { Drive } from '../../../src-core/Drive.ts';
import { fail } from '../../../src-core/Failure.ts';
import { approveTargets } from '../../../src-writer/supervisor/TargetApproval.ts';
import type { ApprovalRequest } from '../../../src-writer/supervisor/TargetApproval.ts';

const GB = 1_000_000_000;

function drive(name: string, change: Partial<Drive> = {}): Drive {
  return {
    ...{ path: `/dev/${name}`, name, label: 'Generic Reader', serial: `s-${name}`, wwn: null },
    ...{ sequence: 7, slot: null, cardId: null, size: 16 * GB, logicalBlockSize: 512, bus: 'usb' },
    ...{ removable: true, readOnly: false, hasMedium: true, virtual: false, partitions: [] },
    ...{ uses: [], openedBy: [], contentUnread: false, unfinished: false },
    ...change,
  };
}

type Accepted = ApprovalRequest['targets'][number]['accepted'];

const everyWarning: Accepted = [
  ...(['large', 'not-removable', 'foreign-file-system'] as const),
  ...(['content-unread', 'mounted-elsewhere', 'files-in-use'] as const),
];

function judged(
  drives: readonly Drive[],
  change: Partial<ApprovalRequest> = {},
  accepted: Accepted = [],
) {
  const targets = drives.map((seen, index) => ({
    ...{ cardId: `card-${String(index + 1)}`, path: seen.path, identity: identityOf(seen) },
    accepted,
  }));
  const leave = { allowVirtual: false, imageSize: GB, forWriting: true };
  const request = { ...leave, targets, ...change };
  return approveTargets(request, drives, (path) =>
    path.startsWith('/dev/')
      ? Promise.resolve(path)
      : Promise.reject(fail('drive-not-found', { drive: path })),
  );
}

async function refusalsOf(
  drives: readonly Drive[],
  change?: Partial<ApprovalRequest>,
  accepted?: Accepted,
) {
  const { refusals } = await judged(drives, change, accepted);
  return refusals.map(({ code, facts }) => [code, ...Object.values(facts)].join(' '));
}

test('harmless drives are approved by card', async () => {
  const drives = [drive('sdb'), drive('mmcblk0', { bus: 'sd' })];
  const { approved, refusals } = await judged(drives);
  expect(refusals).toEqual([]);
  expect([...approved]).toEqual([
    ['card-1', drives[0]],
    ['card-2', drives[1]],
  ]);
});

const root = { kind: 'root', what: '/', through: ['sdb2', 'vg-root'] } as const;

test.each<[name: string, change: Partial<Drive>, reason: string]>([
  ['the running system', { uses: [root] }, 'carries-root'],
  ['the image', { uses: [{ kind: 'image', what: '/a.img', through: ['sdb1'] }] }, 'holds-image'],
  ['an internal bus', { bus: 'nvme', removable: false }, 'internal-bus'],
  ['a loop device', { bus: 'virtual', virtual: true }, 'virtual'],
  ['too little room', { size: GB / 2 }, 'too-small'],
  ['a write-protect switch', { readOnly: true }, 'read-only'],
])('%s is refused, whatever else is allowed', async (_, change, reason) => {
  const [refusal = ''] = await refusalsOf([drive('sdb', change)], {}, everyWarning);
  expect(refusal).toMatch(`drive-refused /dev/sdb`);
  expect(refusal).toContain(reason);
});

test('warned drives need leave to be written, and none to be read', async () => {
  const large = [drive('sdb', { size: 2000 * GB })];
  expect(await refusalsOf(large)).toEqual(['drive-warned /dev/sdb large']);
  expect(await refusalsOf(large, {}, ['large'])).toEqual([]);
  // Leave is for what was seen: another warning, or another drive, is not covered by it.
  expect(await refusalsOf(large, {}, ['files-in-use'])).toEqual(['drive-warned /dev/sdb large']);
  const busy = [drive('sdb', { size: 2000 * GB, openedBy: ['backup'] })];
  expect(await refusalsOf(busy, {}, ['large'])).toEqual(['drive-warned /dev/sdb files-in-use']);
  expect(await refusalsOf(large, { forWriting: false })).toEqual([]);
});

test('a locked card may be read; what carries the system may not', async () => {
  expect(await refusalsOf([drive('sdb', { readOnly: true })], { forWriting: false })).toEqual([]);
  const [refusal] = await refusalsOf([drive('sda', { uses: [root] })], { forWriting: false });
  expect(refusal).toContain('carries-root');
});

test('every target that is refused is told, and what a request claims only refuses', async () => {
  const [a, b, c] = [drive('sda', { uses: [root] }), drive('sdb'), drive('sdc')];
  const claim = identityOf(b);
  const targets = [
    { cardId: 'a', path: '/dev/sda', identity: { ...claim, size: a.size } },
    { cardId: 'b', path: '/dev/sdb', identity: claim },
    { cardId: 'b', path: '/dev/sdc', identity: identityOf(c) },
    { cardId: 'd', path: '/dev/sdd', identity: claim },
    { cardId: 'e', path: '/etc/passwd', identity: claim },
    { cardId: 'f', path: '/dev/sdb', identity: claim },
  ];
  expect(
    await refusalsOf([a, b, c], {
      targets: targets.map((each) => ({ ...each, accepted: [] })),
    }),
  ).toEqual([
    'drive-changed /dev/sda serial',
    'drive-chosen-twice /dev/sdc',
    'drive-not-found /dev/sdd',
    'drive-not-found /etc/passwd',
    'drive-chosen-twice /dev/sdb',
  ]);
});
