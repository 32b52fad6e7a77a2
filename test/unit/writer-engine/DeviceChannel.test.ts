import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src-writer/engine/Clock.ts';
import type { Device, Presence } from '../../../src-writer/engine/Device.ts';
import { DeviceChannel } from '../../../src-writer/engine/DeviceChannel.ts';
import { FakeClock } from '../../fault/FakeClock.ts';
import { failureFrom } from '../../support/failureFrom.ts';

/** A device whose operations end when and as the test says. */
class ScriptedDevice implements Device {
  readonly size = 1 << 20;
  readonly logicalBlockSize = 512;
  presenceNow: Presence = 'present';
  closed = 0;
  /** When a call of close ends. */
  closing: Promise<void> = Promise.resolve();
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
    this.closed += 1;
    return this.closing;
  }
}

/** Time that the test sets. */
class ManualClock implements Clock {
  #now = 1_000;

  now(): number {
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  every(): () => void {
    throw new Error('the test ticks');
  }

  pass(seconds: number): void {
    this.#now += seconds * 1000;
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

  it('blames no card for a process that was stopped, and gives it its 30 s anew', () => {
    const clock = new ManualClock();
    const channel = new DeviceChannel(new ScriptedDevice(), 'sdz', clock);
    channel.write(bytes, 0).catch(() => undefined);
    const tick = (seconds: number): void => {
      clock.pass(seconds);
      channel.tick();
    };
    tick(0.5);
    tick(33);
    expect(channel.failure).toBeNull();
    for (let half = 1; half < 60; half += 1) tick(0.5);
    expect(channel.failure).toBeNull();
    tick(0.5);
    expect(channel.failure?.code).toBe('card-stalled');
  });

  it('goes on where the operation had ended while the process was stopped', async () => {
    const clock = new ManualClock();
    const device = new ScriptedDevice();
    const channel = new DeviceChannel(device, 'sdz', clock);
    const writing = channel.write(bytes, 0);
    clock.pass(33);
    channel.tick();
    device.succeed();
    await writing;
    expect(channel.failure).toBeNull();
  });

  it('closes an idle device when it retires, and only once', async () => {
    const { device, channel } = setUp();
    await channel.retire();
    await channel.retire();
    expect(device.closed).toBe(1);
  });

  it('closes a busy device when the last operation has ended, and only once', async () => {
    const { device, channel } = setUp();
    const operations = [channel.write(bytes, 0), channel.read(bytes, 0), channel.flush()];
    await channel.retire();
    expect(device.closed).toBe(0);
    device.succeed();
    await Promise.all(operations);
    expect(device.closed).toBe(1);
    await channel.retire();
    expect(device.closed).toBe(1);
  });

  it('never closes under an operation that never ends', async () => {
    const { clock, device, channel } = setUp();
    channel.write(bytes, 0).catch(() => undefined);
    await clock.drive(
      channel.broken.catch(() => undefined),
      60_000,
    );
    await channel.retire();
    expect(device.closed).toBe(0);
    device.failWith('EIO');
    await clock.drive(clock.after(1000), 60_000);
    expect(device.closed).toBe(1);
  });

  it('gives a device up that does not close within 30 s', async () => {
    const { clock, device, channel } = setUp();
    device.closing = new Promise(() => undefined);
    const before = clock.now();
    void channel.retire();
    await clock.drive(
      channel.broken.catch(() => undefined),
      60_000,
    );
    expect(channel.failure?.code).toBe('card-stalled');
    expect(clock.now() - before).toBeLessThanOrEqual(31_000);
    expect(device.closed).toBe(1);
  });
});
