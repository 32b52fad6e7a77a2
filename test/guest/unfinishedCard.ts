import { expect, it } from 'vitest';
import { GuestBoxwright } from '../support/guest/GuestBoxwright.ts';
import type { Guest } from '../support/guest/Guest.ts';
import { UsbDrive } from '../support/guest/UsbDrive.ts';
import type { Station } from './Station.ts';

export function unfinishedCard(station: () => Station): void {
  it('is seen by an account without rights, and flashed anew', async () => {
    const boxwright = new GuestBoxwright(station().guest);
    const drive = await UsbDrive.plug(station().guest, { serial: 'KILLED', size: 300 });
    const complete = await boxwright
      .flash(station().small.name, [drive.device], '--no-eject')
      .outcome();
    expect(complete.code, complete.stderr).toBe(0);

    await drive.limitWriting(1 << 20);
    const flash = boxwright.flash(station().large.name, [drive.device], '--no-eject');
    await flash.writing('card-1');
    flash.command.kill('SIGKILL');
    expect((await flash.command.finished).signal).toBe('SIGKILL');
    await drive.limitWriting(null);
    await writerGone(station().guest);

    const seen = [
      'lsblk',
      '--noheadings',
      '--nodeps',
      '--output=FSTYPE,LABEL',
      drive.device,
    ] as const;
    expect((await station().guest.run(seen, { technician: true })).trim().split(/\s+/)).toEqual([
      'swap',
      'BW-UNFINISHED',
    ]);
    const listed = await boxwright.drive(drive.device);
    expect(listed).toMatchObject({ unfinished: true, verdict: 'allowed' });
    expect(await drive.card.read(0, 512)).toEqual(Buffer.alloc(512));
    const swapon = await station().guest.start(['swapon', drive.device]).finished;
    expect(swapon.code).not.toBe(0);

    const again = await boxwright
      .flash(station().small.name, [drive.device], '--no-eject')
      .outcome();
    expect(again.code, again.stderr).toBe(0);
    // The kernel has read the new partition table, and nothing speaks of the marker any more.
    await station().guest.run(['udevadm', 'wait', '--settle', '--timeout=60', `${drive.device}1`]);
    expect(await boxwright.drive(drive.device)).toMatchObject({
      unfinished: false,
      partitions: [{ label: 'flashed', fileSystem: 'ext4' }],
    });
    expect(await drive.card.sha256(station().small.size)).toBe(station().small.sha256);
    await drive.unplug();
  });
}

/** Waits until the writer has noticed that nobody is left, and is gone itself. */
async function writerGone(guest: Guest): Promise<void> {
  // The brackets keep the pattern from matching the shell that looks for it.
  const loop = "while pgrep -f '[d]ist/(supervisor|engine)'; do sleep 0.2; done; udevadm settle";
  await guest.run(['timeout', '20', 'sh', '-c', loop]);
}
