import { expect, it } from 'vitest';
import { GuestBoxwright } from '../support/guest/GuestBoxwright.ts';
import { UsbDrive } from '../support/guest/UsbDrive.ts';
import { failedWith, verified } from './ends.ts';
import type { Station } from './Station.ts';

export function usbPulled(station: () => Station): void {
  it('fails alone, within 5 s, while the other card is finished', async () => {
    const boxwright = new GuestBoxwright(station().guest);
    const pulled = await UsbDrive.plug(station().guest, { serial: 'PULLED', size: 300 });
    await pulled.limitWriting(1 << 20);
    const other = await UsbDrive.plug(station().guest, { serial: 'STAYING', size: 300 });
    const flash = boxwright.flash(station().large.name, [pulled.device, other.device]);
    await flash.writing('card-1');
    const before = performance.now();
    await pulled.pull();
    const outcome = await flash.outcome();

    expect(outcome.code, outcome.stderr).toBe(1);
    expect(outcome.card('card-1')).toMatchObject(failedWith('reader-lost'));
    expect(flash.toldAt('card-1') - before).toBeLessThan(5000);
    expect(outcome.card('card-2')).toMatchObject({ ...verified, eject: { outcome: 'ejected' } });
    expect(await other.card.sha256(station().large.size)).toBe(station().large.sha256);
    // What is left of the other one has no partition table, so it cannot boot.
    expect(await pulled.card.read(0, 512)).toEqual(Buffer.alloc(512));
    await other.unplug();
  });
}
