import { expect, it } from 'vitest';
import { GuestBoxwright } from '../support/guest/GuestBoxwright.ts';
import type { Guest } from '../support/guest/Guest.ts';
import { UsbDrive } from '../support/guest/UsbDrive.ts';
import { images } from './images.ts';

export function unfinishedCard(guest: () => Guest): void {
  it('is seen by an account without rights, and flashed anew', async () => {
    const boxwright = new GuestBoxwright(guest());
    const drive = await UsbDrive.plug(guest(), { serial: 'KILLED', size: 300 });
    const complete = await boxwright
      .flash(images.small.name, [drive.device], '--no-eject')
      .outcome();
    expect(complete.code, complete.stderr).toBe(0);

    await drive.limitWriting(1 << 20);
    const flash = boxwright.flash(images.medium.name, [drive.device], '--no-eject');
    await flash.writing('card-1');
    flash.command.kill('SIGKILL');
    expect((await flash.command.finished).signal).toBe('SIGKILL');
    await drive.limitWriting(null);
    await writerGone(guest());

    const seen = [
      'lsblk',
      '--noheadings',
      '--nodeps',
      '--output=FSTYPE,LABEL',
      drive.device,
    ] as const;
    expect((await guest().run(seen, { technician: true })).trim().split(/\s+/)).toEqual([
      'swap',
      'BW-UNFINISHED',
    ]);
    const listed = await boxwright.drive(drive.device);
    expect(listed).toMatchObject({ unfinished: true, verdict: 'allowed' });
    expect(await drive.card.read(0, 512)).toEqual(Buffer.alloc(512));
    const swapon = await guest().start(['swapon', drive.device]).finished;
    expect(swapon.code).not.toBe(0);

    const again = await boxwright.flash(images.small.name, [drive.device], '--no-eject').outcome();
    expect(again.code, again.stderr).toBe(0);
    expect(await boxwright.drive(drive.device)).toMatchObject({ unfinished: false });
    expect(await drive.card.sha256(images.small.bytes.length)).toBe(images.small.sha256);
    await drive.unplug();
  });
}

/** Waits until the writer has noticed that nobody is left, and is gone itself. */
async function writerGone(guest: Guest): Promise<void> {
  // The brackets keep the pattern from matching the shell that looks for it.
  const loop = "while pgrep -f '[d]ist/(supervisor|engine)'; do sleep 0.2; done; udevadm settle";
  await guest.run(['timeout', '20', 'sh', '-c', loop]);
}
