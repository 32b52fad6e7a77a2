import { beforeAll, expect, it } from 'vitest';
import { GuestBoxwright } from '../support/guest/GuestBoxwright.ts';
import { CardFile } from '../support/guest/CardFile.ts';
import { CardSlot } from '../support/guest/CardSlot.ts';
import { failedWith, verified } from './ends.ts';
import type { Station } from './Station.ts';

/** A laptop's slot: it claims to be fixed, and its device comes and goes with the card. */
export function sdHost(station: () => Station): void {
  let slot: CardSlot;
  let boxwright: GuestBoxwright;

  beforeAll(() => {
    slot = CardSlot.ofSdHost(station().guest);
    boxwright = new GuestBoxwright(station().guest);
  });

  it('flashes and verifies a card', async () => {
    const card = await CardFile.create(station().guest.folder, 'sd-card', 256);
    const device = await slot.insert(card);
    const listed = await boxwright.drive(device);
    expect(listed).toMatchObject({ bus: 'sd', verdict: 'allowed' });
    const outcome = await boxwright.flash(station().small.name, [device]).outcome();
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.card('card-1')).toMatchObject(verified);
    expect(await card.sha256(station().small.size)).toBe(station().small.sha256);
    await slot.empty();
  });

  it('says card lost for a card taken out while it is written', async () => {
    const card = await CardFile.create(station().guest.folder, 'lost-sd-card', 256);
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
