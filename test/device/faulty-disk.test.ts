import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants, existsSync } from 'node:fs';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import type { DiskFault } from '../support/DiskFault.ts';
import { FaultyDisk } from '../support/FaultyDisk.ts';
import { LoopDevice } from '../support/LoopDevice.ts';
import { MemoryAccounting } from '../support/MemoryAccounting.ts';
import { sweepLeftovers } from '../support/OwnFolder.ts';
import { ThrottledDevices } from '../support/ThrottledDevices.ts';
import { ZramDevice } from '../support/ZramDevice.ts';

const run = promisify(execFile);
const MIB = 1 << 20;
const SIZE = 16 * MIB;

/** A disk of random bytes, opened past the page cache, with page-aligned memory for its transfers. */
async function opened(disk: {
  readonly path: string;
}): Promise<{ file: FileHandle; memory: Uint8Array } & AsyncDisposable> {
  const file = await open(disk.path, constants.O_RDWR | constants.O_DIRECT | constants.O_EXCL);
  const memory = new Uint8Array(new WebAssembly.Memory({ initial: 16 }).buffer);
  memory.set(randomBytes(MIB));
  return { file, memory, [Symbol.asyncDispose]: () => file.close() };
}

async function codeOf(operation: Promise<unknown>): Promise<string | undefined> {
  return operation.then(
    () => 'success',
    (cause: unknown) => (cause as NodeJS.ErrnoException).code,
  );
}

test('a healthy disk keeps what is written, and its backing file holds it', async () => {
  await using disk = await FaultyDisk.create(SIZE);
  await using open = await opened(disk);
  const { file, memory } = open;
  const written = Buffer.from(memory);
  await file.write(memory, 0, MIB, 3 * MIB);
  memory.fill(0);
  await file.read(memory, 0, MIB, 3 * MIB);
  expect(Buffer.from(memory).equals(written)).toBe(true);
  const medium = await readFile(disk.backing);
  expect(medium.subarray(3 * MIB, 4 * MIB).equals(written)).toBe(true);
});

interface Expected {
  readonly fault: DiskFault;
  /** What a write and then a read of MiB 4 to 5 come to. */
  readonly write: string;
  readonly read: string;
}

const at = { offset: 4 * MIB, length: 512 };

test.each<Expected>([
  { fault: { kind: 'io-error', operation: 'write', ...at }, write: 'EIO', read: 'success' },
  { fault: { kind: 'io-error', operation: 'read', ...at }, write: 'success', read: 'EIO' },
  { fault: { kind: 'dead', operation: 'write', afterBytes: 4096 }, write: 'EIO', read: 'EIO' },
  { fault: { kind: 'out-of-space', afterBytes: 4096 }, write: 'ENOSPC', read: 'success' },
])('$fault.kind ($fault.operation): write $write, read $read', async ({ fault, write, read }) => {
  await using disk = await FaultyDisk.create(SIZE);
  await using open = await opened(disk);
  const { file, memory } = open;
  await disk.inject(fault);
  expect(await codeOf(file.write(memory, 0, MIB, 4 * MIB))).toBe(write);
  expect(await codeOf(file.read(memory, 0, MIB, 4 * MIB))).toBe(read);
  expect(disk.hasStruck(fault.kind)).toBe(true);
  await disk.heal();
  expect(await codeOf(file.write(memory, 0, MIB, 4 * MIB))).toBe('success');
});

test('flipped bits are read and not stored', async () => {
  await using disk = await FaultyDisk.create(SIZE);
  await using open = await opened(disk);
  const { file, memory } = open;
  const written = Buffer.from(memory);
  await file.write(memory, 0, MIB, 0);
  await disk.inject({ kind: 'flipped-bits', offset: 1000, mask: 0x81 });
  await file.read(memory, 0, MIB, 0);
  expect(memory[1000]).toBe((written[1000] ?? 0) ^ 0x81);
  expect((await readFile(disk.backing)).subarray(0, MIB).equals(written)).toBe(true);
});

test('a counterfeit wraps: a later place holds what was written to an earlier one', async () => {
  await using disk = await FaultyDisk.create(SIZE);
  await using open = await opened(disk);
  const { file, memory } = open;
  await disk.inject({ kind: 'counterfeit', capacity: 8 * MIB });
  const written = Buffer.from(memory);
  await file.write(memory, 0, MIB, 11 * MIB);
  await file.read(memory, 0, MIB, 3 * MIB);
  expect(Buffer.from(memory).equals(written)).toBe(true);
});

test('a slow disk keeps to its rate', async () => {
  await using disk = await FaultyDisk.create(SIZE);
  await using open = await opened(disk);
  const { file, memory } = open;
  await disk.inject({ kind: 'slow', operation: 'write', bytesPerSecond: 5 * MIB });
  const started = performance.now();
  for (let chunk = 0; chunk < 3; chunk++) await file.write(memory, 0, MIB, chunk * MIB);
  expect(performance.now() - started).toBeGreaterThan(550);
});

test('a stalled request is answered when the disk is healed, and not before', async () => {
  await using disk = await FaultyDisk.create(SIZE);
  await using open = await opened(disk);
  const { file, memory } = open;
  await disk.inject({ kind: 'stall', operation: 'write', afterBytes: 0 });
  let answered = false;
  const write = file.write(memory, 0, MIB, 0).finally(() => (answered = true));
  await disk.struck('stall');
  expect(answered).toBe(false);
  await disk.heal();
  await write;
});

const SUPPORT = new URL('../support/', import.meta.url).href;

/** A process that makes a device and then waits to be killed. */
const MAKERS = {
  FaultyDisk: `const { FaultyDisk } = await import('${SUPPORT}FaultyDisk.ts');
    const device = await FaultyDisk.create(${String(SIZE)});`,
  LoopDevice: `const { LoopDevice } = await import('${SUPPORT}LoopDevice.ts');
    const device = await LoopDevice.create(${String(SIZE)});`,
  ZramDevice: `const { ZramDevice } = await import('${SUPPORT}ZramDevice.ts');
    const device = await ZramDevice.create(${String(SIZE)});`,
};

test.each(Object.entries(MAKERS))('a killed test leaves no %s behind', async (_name, make) => {
  const script = `${make} console.log(JSON.stringify(device)); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { path } = JSON.parse(line) as { path: string };
  const name = path.slice('/dev/'.length);
  const sequence = await readFile(`/sys/block/${name}/diskseq`, 'utf8');
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  await sweepLeftovers();
  const now = await readFile(`/sys/block/${name}/diskseq`, 'utf8').catch(() => 'gone');
  const backing = `/sys/block/${name}/loop/backing_file`;
  expect(now !== sequence || !existsSync(backing)).toBe(true);
  expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(`-test-${String(child.pid)}-`);
});

test.each([
  ['loop', LoopDevice],
  ['zram', ZramDevice],
] as const)('a throttled %s device keeps dd to 20 MB/s both ways', async (_name, Device) => {
  await using device = await Device.create(64 * MIB);
  await using throttle = await ThrottledDevices.create([device.path], 20e6);
  const transfers = [
    ['if=/dev/zero', `of=${device.path}`, 'oflag=direct'],
    [`if=${device.path}`, 'of=/dev/null', 'iflag=direct'],
  ];
  for (const transfer of transfers) {
    const [command = '', ...args] = throttle.command([
      '/usr/bin/dd',
      'bs=1M',
      'count=20',
      ...transfer,
    ]);
    const started = performance.now();
    await run(command, args);
    const rate = (20 * MIB) / ((performance.now() - started) / 1000);
    expect(rate).toBeGreaterThan(15e6);
    expect(rate).toBeLessThan(23e6);
  }
});

test('memory is counted over a process and its child, at its peak', async () => {
  const hold = (mib: number) => `const held = Buffer.alloc(${String(mib * MIB)}, 1);`;
  const child = `${hold(150)} setTimeout(() => console.log(held.length), 300);`;
  const parent = `${hold(100)} require('node:child_process')
    .spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit' });`;
  const tree = spawn(process.execPath, ['-e', parent], { stdio: 'ignore' });
  const ended = once(tree, 'exit');
  using memory = new MemoryAccounting(tree.pid ?? 0);
  await ended;
  expect(memory.peak.pss).toBeGreaterThan(250 * MIB);
  expect(memory.peak.rss).toBeGreaterThan(memory.peak.pss);
  expect(memory.peak.rss).toBeLessThan(500 * MIB);
});
