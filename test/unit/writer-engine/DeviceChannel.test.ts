import { describe, expect, it } from 'vitest';
import type { Failure } from '../../../src-core/Failure.ts';
import { failureOf } from '../../../src-core/Failure.ts';
import type { Device, Presence } from '../../../src-writer/engine/Device.ts';
import { DeviceChannel } from '../../../src-writer/engine/DeviceChannel.ts';
import { FakeClock } from '../../fault/FakeClock.ts';

/** A device whose operations end when and as the test says. */
class ScriptedDevice implements Device {
  readonly size = 1 << 20;
  readonly logicalBlockSize = 512;
  presenceNow: Presence = 'present';
  #outcome = Promise.withResolvers<undefined>();

  succeed(): void {
    this.#outcome.resolve(undefined);
  }

  failWith(code: string): void {
    this.#outcome.reject(Object.assign(new Error(code), { code }));
  }

  write(): Promise<void> {
    return this.#outcome.promise;
  }

  read(): Promise<void> {
    return this.#outcome.promise;
  }

  flush(): Promise<void> {
    return this.#outcome.promise;
  }

  presence(): Promise<Presence> {
    return Promise.resolve(this.presenceNow);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function setUp(): { clock: FakeClock; device: ScriptedDevice; channel: DeviceChannel } {
  const clock = new FakeClock();
  const device = new ScriptedDevice();
  const channel = new DeviceChannel(device, 'sdz', clock);
  clock.every(500, () => {
    channel.tick();
  });
  return { clock, device, channel };
}

async function failureFrom(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (thrown) {
    return failureOf(thrown);
  }
  throw new Error('nothing failed');
}

const bytes = new Uint8Array(512);

describe('DeviceChannel', () => {
  it.each([
    ['EIO', 'write-failed'],
    ['EROFS', 'write-protected'],
    ['EPERM', 'write-protected'],
    ['ENOSPC', 'disk-full'],
    ['ENODEV', 'reader-lost'],
    ['ENXIO', 'reader-lost'],
    ['ENOMEDIUM', 'card-lost'],
  ])('a write that ends with %s is %s', async (code, expected) => {
    const { device, channel } = setUp();
    const writing = channel.write(bytes, 4096);
    device.failWith(code);
    expect((await failureFrom(writing)).code).toBe(expected);
  });

  it('says where a read failed', async () => {
    const { device, channel } = setUp();
    const reading = channel.read(bytes, 8192);
    device.failWith('EIO');
    expect(await failureFrom(reading)).toEqual({
      code: 'read-failed',
      facts: { drive: 'sdz', offset: 8192, cause: 'EIO' },
    });
  });

  it.each([
    ['gone', 'reader-lost'],
    ['no-medium', 'card-lost'],
  ] as const)('an error on a device that is %s is %s', async (presence, expected) => {
    const { device, channel } = setUp();
    const writing = channel.write(bytes, 0);
    device.presenceNow = presence;
    device.failWith('EIO');
    expect((await failureFrom(writing)).code).toBe(expected);
  });

  it('notices within a second that an idle device went away', async () => {
    const { clock, device, channel } = setUp();
    device.presenceNow = 'gone';
    const before = clock.now();
    await clock.drive(
      channel.broken.catch(() => undefined),
      60_000,
    );
    expect(channel.failure?.code).toBe('reader-lost');
    expect(clock.now() - before).toBeLessThanOrEqual(1000);
  });

  it('gives an operation up after 30 s, and not before', async () => {
    const { clock, channel } = setUp();
    channel.write(bytes, 0).catch(() => undefined);
    const before = clock.now();
    await clock.drive(
      channel.broken.catch(() => undefined),
      60_000,
    );
    expect(channel.failure).toEqual({ code: 'card-stalled', facts: { drive: 'sdz', seconds: 30 } });
    expect(clock.now() - before).toBeGreaterThanOrEqual(30_000);
    expect(clock.now() - before).toBeLessThanOrEqual(31_000);
  });

  it('puts a loss down to sleep when the computer has just woken up', async () => {
    const { clock, device, channel } = setUp();
    const writing = channel.write(bytes, 0);
    clock.sleep(3600);
    device.presenceNow = 'gone';
    device.failWith('ENODEV');
    expect(await failureFrom(writing)).toEqual({
      code: 'computer-slept',
      facts: { drive: 'sdz', seconds: 3600 },
    });
  });

  it('goes on after a sleep that the card survived', async () => {
    const { clock, device, channel } = setUp();
    const writing = channel.write(bytes, 0);
    clock.sleep(3600);
    device.succeed();
    await writing;
    expect(channel.failure).toBeNull();
  });

  it('keeps the first failure and refuses everything afterwards with it', async () => {
    const { device, channel } = setUp();
    const first = channel.write(bytes, 0);
    device.failWith('EIO');
    await failureFrom(first);
    channel.break({ code: 'cancelled', facts: {} });
    expect((await failureFrom(channel.read(bytes, 0))).code).toBe('write-failed');
    expect((await failureFrom(channel.flush())).code).toBe('write-failed');
  });
});
