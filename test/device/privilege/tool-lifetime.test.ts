import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Drive } from '../../../src-core/Drive.ts';
import { toolPath } from '../../../src-writer/supervisor/SystemTool.ts';
import { FaultyDisk } from '../../support/FaultyDisk.ts';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { listedDrive } from './ListedDrive.ts';
import { threadStatus, timeUntilGone, toolBelow } from './Processes.ts';
import { Stage } from './Stage.ts';
import { StagedHold } from './StagedHold.ts';
import { orderOf, SupervisorTalk, targetOf } from './SupervisorTalk.ts';

const MIB = 1 << 20;
const WARNINGS = ['large', 'mounted-elsewhere', 'files-in-use'] as const;

let stage: Stage;
let image = '';
let folder = '';

beforeAll(async () => {
  stage = await Stage.create();
  image = join(stage.folder, 'image');
  writeFileSync(image, Buffer.alloc(MIB, 1));
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
beforeEach(async () => {
  folder = await makeOwnFolder();
});
afterEach(async () => {
  await removeOwnFolder(folder);
});

function mountPoint(): string {
  const path = join(folder, 'mounted');
  mkdirSync(path, { recursive: true });
  return path;
}

/** Four pebibytes of nothing, in memory: discarding them in steps takes minutes. */
function endlessCard(): string {
  const place = mountPoint();
  execFileSync('/usr/bin/mount', ['-t', 'tmpfs', 'none', place]);
  const backing = join(place, 'medium');
  writeFileSync(backing, '');
  truncateSync(backing, 2 ** 52);
  return execFileSync('/usr/sbin/losetup', ['-f', '--show', backing], { encoding: 'utf8' }).trim();
}

/** Starts a job on one card, with a block map so that the card is discarded. */
function started(card: string): SupervisorTalk {
  const supervisor = new SupervisorTalk(stage.supervisor);
  const target = { ...targetOf(card), accepted: [...WARNINGS] };
  const blockMap = { kind: 'used-blocks' } as const;
  supervisor.send(orderOf(image, [target], { image: { blockMap } }));
  return supervisor;
}

/** @throws Error when it is still there after a second; then it is ended */
async function isGone(tool: number): Promise<void> {
  try {
    await timeUntilGone([tool], 1000);
  } catch (cause) {
    process.kill(tool, 'SIGKILL');
    throw cause;
  }
}

test('a discard ends with a killed supervisor', async () => {
  await using supervisor = started(endlessCard());
  const tool = await toolBelow(supervisor.pid, '/usr/sbin/blkdiscard');
  process.kill(supervisor.pid, 'SIGKILL');
  await isGone(tool);
});

test('a discard ends with its job, and the card is told as what it is', async () => {
  await using supervisor = started(endlessCard());
  const tool = await toolBelow(supervisor.pid, '/usr/sbin/blkdiscard');
  supervisor.send({ v: 1, type: 'cancel', jobId: 'job-1', cardId: null });
  await isGone(tool);
  await supervisor.untilEvent('end');
  expect(supervisor.events).toContainEqual(
    expect.objectContaining({
      ...{ type: 'card', condition: 'unfinished' },
      failure: { code: 'cancelled', facts: {} },
    }),
  );
});

test('an unmount that a dead card holds up in the kernel ends with a killed supervisor', async () => {
  await using disk = await FaultyDisk.create(64 * MIB);
  execFileSync('/usr/sbin/mkfs.ext4', ['-q', disk.path]);
  const place = mountPoint();
  execFileSync('/usr/bin/mount', [disk.path, place]);
  writeFileSync(join(place, 'data'), Buffer.alloc(MIB, 1));
  await disk.inject({ kind: 'stall', operation: 'write', afterBytes: 0 });
  await using supervisor = started(disk.path);
  const tool = await toolBelow(supervisor.pid, '/usr/bin/umount');
  await disk.struck('stall');
  expect(isDoomed(tool)).toBe(false);
  process.kill(supervisor.pid, 'SIGKILL');
  await supervisor.ended;
  // Nothing ends while it waits for a disk; it must be the first thing that it does then.
  expect(isDoomed(tool)).toBe(true);
  await disk.heal();
  await isGone(tool);
});

/** Whether a SIGKILL is on its way: it is 9, and the mask counts from bit 0. */
function isDoomed(pid: number): boolean {
  const [status] = threadStatus(pid);
  return (BigInt(`0x${status?.['SigPnd'] ?? '0'}`) & (1n << 8n)) !== 0n;
}

test.each([
  ['umount', 'release'],
  ['blockdev', 'release'],
  ['eject', 'eject'],
] as const)('%s ends with whoever started it', async (tool, ending) => {
  await using card = await LoopDevice.create(16 * MIB);
  const endless = join(folder, tool);
  writeFileSync(endless, '#!/bin/sh\nexec /usr/bin/sleep 600\n', { mode: 0o755 });
  const settings = [`mount --bind ${endless} ${toolPath(tool, tool)}`];
  if (tool === 'umount') {
    execFileSync('/usr/sbin/mkfs.ext4', ['-q', card.path]);
    settings.push(`mount ${card.path} ${mountPoint()}`);
  }
  const stick: Drive = { ...(await listedDrive(card.path)), virtual: false, bus: 'usb' };
  await using hold = new StagedHold(settings.join('\n'), stick, ending);
  const stuck = await toolBelow(hold.pid, '/usr/bin/sleep');
  process.kill(hold.pid, 'SIGKILL');
  await isGone(stuck);
});
