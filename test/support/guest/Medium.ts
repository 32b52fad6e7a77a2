import type { CardFile } from './CardFile.ts';
import type { Guest } from './Guest.ts';

/** A backing file as QEMU's block layer knows it, ready to be put into a drive. */
export class Medium {
  readonly card: CardFile;
  /** Its node name in QEMU. */
  readonly node: string;
  readonly #guest: Guest;

  private constructor(guest: Guest, card: CardFile) {
    this.#guest = guest;
    this.card = card;
    this.node = `${card.name}-medium`;
  }

  static async add(guest: Guest, card: CardFile, readOnly = false): Promise<Medium> {
    const medium = new Medium(guest, card);
    const file = { driver: 'file', filename: card.path, 'read-only': readOnly };
    const raw = { driver: 'raw', 'node-name': medium.node, 'read-only': readOnly, file };
    await guest.qmp.execute('blockdev-add', raw);
    return medium;
  }

  /** Frees what QEMU kept for it; the backing file stays. It must be in no drive any more. */
  async forget(): Promise<void> {
    await this.#guest.qmp.execute('blockdev-del', { 'node-name': this.node });
  }
}
