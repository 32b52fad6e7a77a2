import { beforeAll, expect, it } from 'vitest';
import { GuestBoxwright } from '../support/guest/GuestBoxwright.ts';
import { UsbDrive } from '../support/guest/UsbDrive.ts';
import { verified } from './ends.ts';
import type { Station } from './Station.ts';

export function specialDrives(station: () => Station): void {
  let boxwright: GuestBoxwright;

  beforeAll(() => {
    boxwright = new GuestBoxwright(station().guest);
  });

  it('flashes and verifies one with sectors of 4096 bytes', async () => {
    const drive = await UsbDrive.plug(station().guest, {
      serial: 'FOURK',
      size: 300,
      sectorSize: 4096,
    });
    const sector = await station().guest.run(['blockdev', '--getss', drive.device]);
    expect(sector.trim()).toBe('4096');
    expect((await boxwright.drive(drive.device)).verdict).toBe('allowed');
    const outcome = await boxwright.flash(station().small.name, ['serial:FOURK']).outcome();
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.card('card-1')).toMatchObject({ ...verified, eject: { outcome: 'ejected' } });
    expect(await drive.card.sha256(station().small.size)).toBe(station().small.sha256);
    await drive.unplug();
  });

  it('refuses a write-protected one and leaves the whole job alone', async () => {
    const locked = await UsbDrive.plug(station().guest, {
      serial: 'LOCKED',
      size: 300,
      readOnly: true,
    });
    const open = await UsbDrive.plug(station().guest, { serial: 'OPEN', size: 300 });
    const { refusals } = await boxwright.drive(locked.device);
    expect(refusals.map(({ code }) => code)).toEqual(['read-only']);
    const outcome = await boxwright
      .flash(station().small.name, [open.device, locked.device], '--allow-warned')
      .outcome();
    expect(outcome.code, outcome.stderr).toBe(2);
    expect(outcome.refusals).toEqual([
      {
        code: 'drive-refused',
        facts: expect.objectContaining({
          reasons: expect.stringMatching(/^read-only: \w+$/) as unknown,
        }) as unknown,
      },
    ]);
    expect(await open.card.everWritten()).toBe(false);
    await locked.unplug();
    await open.unplug();
  });
}
