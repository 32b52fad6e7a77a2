import type { CardFile } from './CardFile.ts';
import type { Guest } from './Guest.ts';
import { Medium } from './Medium.ts';

/** A slot whose reader stays in the guest while its cards come and go. */
export class CardSlot {
  readonly #guest: Guest;
  readonly #slot: string;
  readonly #device: string;
  #medium: Medium | null = null;

  /** The first slot of the USB reader: its device stays too and has no size without a card. */
  static ofReader(guest: Guest): CardSlot {
    return new CardSlot(guest, 'card0', '/dev/sda');
  }

  /** The SD host of the machine: its device comes and goes with the card. */
  static ofSdHost(guest: Guest): CardSlot {
    return new CardSlot(guest, 'sdcard', '/dev/mmcblk0');
  }

  private constructor(guest: Guest, slot: string, device: string) {
    this.#guest = guest;
    this.#slot = slot;
    this.#device = device;
  }

  /** Puts a card in and waits until the guest has noticed by itself; returns its whole device. */
  async insert(card: CardFile): Promise<string> {
    const { qmp } = this.#guest;
    this.#medium = await Medium.add(this.#guest, card);
    await qmp.execute('blockdev-open-tray', { id: this.#slot });
    await qmp.execute('blockdev-insert-medium', {
      id: this.#slot,
      'node-name': this.#medium.node,
    });
    await qmp.execute('blockdev-close-tray', { id: this.#slot });
    await this.#waitForSize('!=');
    return this.#device;
  }

  /** @param rate most it writes in a second from now on, in bytes; null for no limit */
  limitWriting(rate: number | null): Promise<void> {
    return this.#guest.limitWriting(this.#slot, rate);
  }

  /** Takes the card out, whatever is going on. */
  async pull(): Promise<void> {
    const { qmp } = this.#guest;
    await qmp.execute('blockdev-open-tray', { id: this.#slot, force: true });
    await qmp.execute('blockdev-remove-medium', { id: this.#slot });
  }

  /** Takes the card out while nothing uses it; the backing file stays. */
  async empty(): Promise<void> {
    await this.pull();
    await this.#waitForSize('=');
    await this.#medium?.forget();
    this.#medium = null;
  }

  /** The kernel looks for a new card every two seconds and tells nobody when it has found none. */
  async #waitForSize(comparison: '=' | '!='): Promise<void> {
    const size = `/sys/class/block/${this.#device.slice('/dev/'.length)}/size`;
    const loop = `until [ "$(cat ${size} 2>/dev/null || echo 0)" ${comparison} 0 ]; do sleep 0.2; done; udevadm settle`;
    await this.#guest.run(['timeout', '60', 'sh', '-c', loop]);
  }
}
