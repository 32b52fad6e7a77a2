import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FailureError, type Failure } from '../../../src-core/Failure.ts';
import { LinuxDevices } from '../../../src-writer/supervisor/linux/LinuxDevices.ts';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { listedDrive } from './ListedDrive.ts';

const MIB = 1 << 20;

const platform = new LinuxDevices('/usr/lib/boxwright/');
let folder = '';
let card: LoopDevice;
/** Where the card is mounted, and a file system beside it that is nobody's business. */
let place = '';
let precious = '';

beforeEach(async () => {
  folder = await makeOwnFolder();
  card = await LoopDevice.create(16 * MIB);
  execFileSync('/usr/sbin/mkfs.ext4', ['-q', card.path]);
  place = join(folder, 'above/parent/card');
  precious = join(folder, 'precious');
  mkdirSync(place, { recursive: true });
  execFileSync('/usr/bin/mount', [card.path, place]);
  mountMemory(precious);
  mountMemory(join(precious, 'card'));
  writeFileSync(join(precious, 'card/data'), 'kept');
});
afterEach(async () => {
  await removeOwnFolder(folder);
  await card[Symbol.asyncDispose]();
});

function mountMemory(path: string): void {
  mkdirSync(path, { recursive: true });
  execFileSync('/usr/bin/mount', ['-t', 'tmpfs', 'none', path]);
}

/** Mount points in the test's folder, in the order in which they were mounted. */
function mounts(): string[] {
  const table = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return table.map((line) => line.split(' ')[1] ?? '').filter((path) => path.startsWith(folder));
}

/** Why the drive could not be taken; null when it was, and was given back. */
async function refusal(): Promise<Failure | null> {
  const { signal } = new AbortController();
  try {
    const held = await platform.hold(await listedDrive(card.path), {
      ...{ forWriting: true, discard: null, signal },
    });
    await held.release();
    return null;
  } catch (cause) {
    if (cause instanceof FailureError) return cause.failure;
    throw cause;
  }
}

function isKept(): boolean {
  return readFileSync(join(precious, 'card/data'), 'utf8') === 'kept';
}

// The kernel tells a mount point by the folder that it was mounted on, wherever that went: a link
// can come to stand in its way only inside of what was mounted over one of the folders above.
test.each([
  ['a mount point', 'above/parent', 'card', 'precious/card'],
  ['a folder above a mount point', 'above', 'parent', 'precious'],
])('%s that became a link is refused, and nothing is unmounted', async (...names) => {
  const [, covered, link, elsewhere] = names;
  mountMemory(join(folder, covered));
  symlinkSync(join(folder, elsewhere), join(folder, covered, link));
  const before = mounts();
  expect(before).toHaveLength(4);
  expect(await refusal()).toEqual({
    code: 'unmount-failed',
    facts: { drive: card.path, mountPoint: place, cause: 'not where the mount table says' },
  });
  expect(mounts()).toEqual(before);
  expect(isKept()).toBe(true);
});

test('a mount point that is out of reach is refused, and nothing is unmounted', async () => {
  mountMemory(join(folder, 'above'));
  const before = mounts();
  const facts = { drive: card.path, mountPoint: place, cause: 'not where the mount table says' };
  expect(await refusal()).toEqual({ code: 'unmount-failed', facts });
  // The same path again, with nothing mounted on it.
  mkdirSync(place, { recursive: true });
  expect(await refusal()).toMatchObject({
    ...{
      code: 'unmount-failed',
      facts: { mountPoint: place, cause: expect.stringContaining('not mounted') as string },
    },
  });
  expect(mounts()).toEqual(before);
});

test('a folder above that was renamed takes the mount along; its old name is left alone', async () => {
  renameSync(join(folder, 'above/parent'), join(folder, 'above/renamed'));
  symlinkSync(precious, join(folder, 'above/parent'));
  expect(mounts()[0]).toBe(join(folder, 'above/renamed/card'));
  expect(await refusal()).toBeNull();
  expect(mounts()).toEqual([precious, join(precious, 'card')]);
  expect(isKept()).toBe(true);
});
