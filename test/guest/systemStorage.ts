import { beforeAll, expect, it } from 'vitest';
import { GuestBoxwright } from '../support/guest/GuestBoxwright.ts';
import type { Guest } from '../support/guest/Guest.ts';
import { UsbDrive } from '../support/guest/UsbDrive.ts';
import type { Station } from './Station.ts';

const PROGRAM = '/opt/boxwright';

/**
 * A RAID1 on partitions of two USB drives, LUKS on that, LVM in it, and on the volumes the swap
 * space of the system and the folder of the program, both in use.
 */
export function systemStorage(station: () => Station): void {
  let halves: UsbDrive[] = [];
  let boxwright: GuestBoxwright;

  beforeAll(async () => {
    halves = [];
    for (const serial of ['RAIDA', 'RAIDB']) {
      halves.push(await UsbDrive.plug(station().guest, { serial, size: 300 }));
    }
    await buildStack(station().guest, halves);
    boxwright = new GuestBoxwright(station().guest, PROGRAM);
  });

  it('is refused, with what it carries', async () => {
    const listed = await boxwright.drives('--all');
    for (const { device } of halves) {
      const drive = listed.find(({ path }) => path === device);
      expect(drive?.verdict).toBe('refused');
      const reasons = drive?.refusals.map(({ code, about }) => `${code}: ${about}`);
      const layers = `through ${device.slice('/dev/'.length)}1, md0, vault,`;
      expect(reasons).toEqual(
        expect.arrayContaining([
          expect.stringMatching(new RegExp(`^carries-swap: .* ${layers} station-swap$`)),
          expect.stringMatching(
            new RegExp(`^carries-program: ${PROGRAM}/.* ${layers} station-program$`),
          ),
        ]),
      );
    }
  });

  it('is listed, built-in drives and empty slots are not', async () => {
    const listed = (await boxwright.drives()).map(({ path }) => path);
    expect(listed).toEqual(expect.arrayContaining(halves.map(({ device }) => device)));
    for (const hidden of ['/dev/vda', '/dev/vdb', '/dev/sda']) expect(listed).not.toContain(hidden);
  });

  it('is not touched by a flash, which ends with 2', async () => {
    const before = await Promise.all(halves.map((half) => written(station().guest, half)));
    const [first = '', second = ''] = halves.map(({ device }) => device);
    const attempts = [
      [first],
      [second],
      ['serial:RAIDA'],
      [`${first}1`],
      ['/dev/md0'],
      ['/dev/vda'],
    ];
    for (const drives of attempts) {
      const allowed = ['--allow-warned', '--allow-virtual'];
      const outcome = await boxwright.flash(station().small.name, drives, ...allowed).outcome();
      expect(outcome.code, `${drives.join(' ')}: ${outcome.stderr}`).toBe(2);
      expect(outcome.refusals).toHaveLength(1);
    }
    expect(await Promise.all(halves.map((half) => written(station().guest, half)))).toEqual(before);
  });
}

async function buildStack(guest: Guest, halves: readonly UsbDrive[]): Promise<void> {
  const parts = halves.map(({ device }) => `${device}1`);
  const table = 'label: gpt\ntype=A19D880F-05FC-4D3B-A006-743F0F84911E\n';
  for (const { device } of halves) {
    await guest.run(['sfdisk', '--quiet', device], { input: table });
  }
  await guest.run(['udevadm', 'wait', '--settle', '--timeout=60', ...parts]);
  const array = ['--create', '/dev/md0', '--run', '--assume-clean', '--level=1'];
  await guest.run(['mdadm', ...array, '--raid-devices=2', ...parts]);
  // A key derivation that takes no time: this vault keeps no secret, and the processor is emulated.
  const quick = ['--batch-mode', '--pbkdf=pbkdf2', '--pbkdf-force-iterations=1000'];
  const input = 'a passphrase';
  await guest.run(['cryptsetup', 'luksFormat', ...quick, '/dev/md0', '-'], { input });
  await guest.run(['cryptsetup', 'open', '--key-file=-', '/dev/md0', 'vault'], { input });
  await guest.run(['vgcreate', '--quiet', 'station', '/dev/mapper/vault']);
  const volume = ['lvcreate', '--quiet', '--yes', '--name'] as const;
  await guest.run([...volume, 'swap', '--size=32M', 'station']);
  await guest.run([...volume, 'program', '--extents=100%FREE', 'station']);
  await guest.run(['mkswap', '/dev/station/swap']);
  await guest.run(['swapon', '/dev/station/swap']);
  await guest.run(['mke2fs', '-q', '-O', '^has_journal', '/dev/station/program']);
  await guest.run(['mkdir', PROGRAM]);
  await guest.run(['mount', '/dev/station/program', PROGRAM]);
  await guest.run(['cp', '-r', '/program/node', '/program/dist', PROGRAM]);
  // So that nothing but a mistake can write to it from here on.
  await guest.run(['mount', '-o', 'remount,ro', PROGRAM]);
  await guest.run(['sync']);
}

/** What the drive holds, and how often the kernel has written to it. */
async function written(guest: Guest, { card, device }: UsbDrive): Promise<unknown> {
  const name = device.slice('/dev/'.length);
  const statistics = await guest.run(['cat', `/sys/block/${name}/stat`]);
  // Documentation/block/stat.rst: the fifth number counts finished writes, the twelfth discards.
  const numbers = statistics.trim().split(/\s+/);
  return { hash: await card.sha256(), writes: numbers[4], discards: numbers[11] };
}
