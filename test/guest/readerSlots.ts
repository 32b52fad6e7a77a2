import { beforeAll, expect, it } from 'vitest';
import { GuestBoxwright } from '../support/guest/GuestBoxwright.ts';
import { CardFile } from '../support/guest/CardFile.ts';
import { CardSlot } from '../support/guest/CardSlot.ts';
import type { Guest } from '../support/guest/Guest.ts';
import { failedWith, verified } from './ends.ts';
import type { Station } from './Station.ts';

const OTHER_SLOT = '/dev/sdb';

/** Two slots behind one USB plug; the card in the second one stays. */
export function readerSlots(station: () => Station): void {
  let slot: CardSlot;
  let boxwright: GuestBoxwright;

  beforeAll(() => {
    slot = CardSlot.ofReader(station().guest);
    boxwright = new GuestBoxwright(station().guest);
  });

  it('without a card is refused for that', async () => {
    const { refusals } = await boxwright.drive('/dev/sda');
    expect(refusals.map(({ code }) => code)).toContain('no-medium');
  });

  it('unmounts, flashes, verifies and ejects one card while the other is written', async () => {
    await startAutomounter(station().guest);
    const card = await CardFile.create(station().guest.folder, 'used-card', 290);
    const device = await slot.insert(card);
    const mounts = await fillUsedCard(station().guest, device);
    const { verdict, notes } = await boxwright.drive(device);
    expect(verdict).toBe('allowed');
    expect(notes.map(({ about }) => about)).toEqual(expect.arrayContaining(mounts));

    // Slow enough to last; small pieces, because both slots share one line.
    await station().guest.limitWriting('card1', 1 << 20);
    const write = ['dd', 'if=/dev/zero', `of=${OTHER_SLOT}`, 'bs=64k', 'oflag=direct'] as const;
    const other = station().guest.start(write);
    const outcome = await boxwright.flash(station().small.name, [device]).outcome();

    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.card('card-1')).toMatchObject({
      ...verified,
      eject: { outcome: 'ejected', problem: null },
    });
    expect(await card.sha256(station().small.size)).toBe(station().small.sha256);
    await station().guest.run(['udevadm', 'settle']);
    expect(await station().guest.run(['cat', '/proc/self/mounts'])).not.toContain(device);
    expect((await station().guest.run(['cat', '/sys/block/sda/size'])).trim()).toBe('0');

    const before = await bytesWritten(station().guest, OTHER_SLOT);
    await expect.poll(() => bytesWritten(station().guest, OTHER_SLOT)).toBeGreaterThan(before);
    expect(other.running).toBe(true);
    other.kill('SIGKILL');
    await other.finished;
    await station().guest.limitWriting('card1', null);
  });

  it('sees and flashes the next card in the same slot', async () => {
    await slot.empty();
    const next = await CardFile.create(station().guest.folder, 'next-card', 260);
    const device = await slot.insert(next);
    const listed = await boxwright.drive(device);
    expect(listed).toMatchObject({ size: next.size, verdict: 'allowed' });
    const outcome = await boxwright.flash(station().small.name, [device]).outcome();
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(await next.sha256(station().small.size)).toBe(station().small.sha256);
    await slot.empty();
  });

  it('says card lost, and not reader lost, for a card taken out of its slot', async () => {
    const card = await CardFile.create(station().guest.folder, 'taken-card', 260);
    const device = await slot.insert(card);
    await slot.limitWriting(1 << 20);
    const flash = boxwright.flash(station().large.name, [device]);
    await flash.writing('card-1');
    const taken = performance.now();
    await slot.pull();
    const outcome = await flash.outcome();
    expect(outcome.code, outcome.stderr).toBe(1);
    expect(outcome.card('card-1')).toMatchObject(failedWith('card-lost'));
    expect(flash.toldAt('card-1') - taken).toBeLessThan(5000);
  });
}

/** Mounts every file system that appears in the first slot, as desktops do and as soon as they do. */
async function startAutomounter(guest: Guest): Promise<void> {
  const rules = '/run/udev/rules.d';
  const conditions = 'ACTION!="remove", KERNEL=="sda[0-9]", ENV{ID_FS_USAGE}=="filesystem"';
  const mount =
    'RUN+="/bin/mkdir -p /media/technician/%k", RUN+="/bin/mount /dev/%k /media/technician/%k"';
  await guest.run(['mkdir', '-p', rules]);
  await guest.run(['tee', `${rules}/90-automount.rules`], { input: `${conditions}, ${mount}\n` });
  await guest.run(['udevadm', 'control', '--reload']);
}

/** Makes it a card as they come back, with FAT and ext4; the automounter does the rest. */
async function fillUsedCard(guest: Guest, device: string): Promise<string[]> {
  const table = 'label: dos\nsize=64MiB,type=c\ntype=83\n';
  await guest.run(['sfdisk', '--quiet', device], { input: table });
  await guest.run(['udevadm', 'wait', '--settle', '--timeout=60', `${device}1`, `${device}2`]);
  await guest.run(['mkfs.vfat', '-n', 'BOOTFS', `${device}1`]);
  await guest.run(['mke2fs', '-q', '-t', 'ext4', '-L', 'rootfs', `${device}2`]);
  const mounts = ['/media/technician/sda1', '/media/technician/sda2'];
  for (const mount of mounts) {
    const loop = `until mountpoint --quiet ${mount}; do sleep 0.2; done`;
    await guest.run(['timeout', '60', 'sh', '-c', loop]);
    await guest.run(['touch', `${mount}/a-file`]);
  }
  return mounts;
}

/** Bytes that the kernel has written to a device since it came: Documentation/block/stat.rst. */
async function bytesWritten(guest: Guest, device: string): Promise<number> {
  const text = await guest.run(['cat', `/sys/block/${device.slice('/dev/'.length)}/stat`]);
  return Number(text.trim().split(/\s+/)[6]) * 512;
}
