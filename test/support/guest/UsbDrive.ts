import { CardFile } from './CardFile.ts';
import type { Guest } from './Guest.ts';
import { Medium } from './Medium.ts';

export interface UsbDriveOptions {
  /** Also the name of its parts in QEMU and of its backing file. */
  readonly serial: string;
  /** Capacity in MiB. */
  readonly size: number;
  /** Bytes of a logical and physical block. */
  readonly sectorSize?: 512 | 4096;
  readonly readOnly?: boolean;
}

/** A USB stick in the guest: usb-storage, which says that its medium can be removed. */
export class UsbDrive {
  readonly card: CardFile;
  /** Its whole device in the guest: /dev/sdc. */
  readonly device: string;
  readonly #guest: Guest;
  readonly #medium: Medium;

  private constructor(guest: Guest, medium: Medium, device: string) {
    this.#guest = guest;
    this.#medium = medium;
    this.card = medium.card;
    this.device = device;
  }

  /** Plugs it in and waits until the guest's udevd has looked at it. */
  static async plug(guest: Guest, options: UsbDriveOptions): Promise<UsbDrive> {
    const { serial, size, sectorSize = 512, readOnly = false } = options;
    const card = await CardFile.create(guest.folder, serial, size);
    const medium = await Medium.add(guest, card, readOnly);
    await (sectorSize === 512 ? plugStorage : plugReader)(guest, medium, sectorSize);
    const link = `/dev/disk/by-id/usb-QEMU_QEMU_HARDDISK_${serial}-0:0`;
    await guest.run(['udevadm', 'wait', '--settle', '--timeout=60', link]);
    const device = (await guest.run(['readlink', '-f', link])).trim();
    return new UsbDrive(guest, medium, device);
  }

  /** @param rate most it writes in a second from now on, in bytes; null for no limit */
  limitWriting(rate: number | null): Promise<void> {
    // usb-storage makes its disk itself, and gives it no name.
    const disk = `/machine/peripheral/${this.card.name}/${this.card.name}.0/legacy[0]`;
    return this.#guest.limitWriting(disk, rate);
  }

  /** Pulls it out, whatever is going on; resolves when the machine no longer has it. */
  async pull(): Promise<void> {
    const gone = this.#guest.qmp.event('DEVICE_DELETED', ({ device }) => device === this.card.name);
    await this.#guest.qmp.execute('device_del', { id: this.card.name });
    await gone;
  }

  /** Pulls it out while nothing uses it; the backing file stays. */
  async unplug(): Promise<void> {
    await this.pull();
    await this.#guest.run(['udevadm', 'wait', '--removed', '--timeout=60', this.device]);
    await this.#medium.forget();
  }
}

async function plugStorage(guest: Guest, { card, node }: Medium): Promise<void> {
  const id = card.name;
  const stick = { driver: 'usb-storage', id, serial: id, bus: 'usb.0', drive: node };
  await guest.qmp.execute('device_add', { ...stick, removable: true });
}

/**
 * The two devices that usb-storage is made of. QEMU 7.2's usb-storage takes a block size but keeps
 * it from the disk within (hw/usb/dev-storage-classic.c), so such a stick is put together here.
 */
async function plugReader(guest: Guest, { card, node }: Medium, sectorSize: number): Promise<void> {
  const { qmp } = guest;
  const id = card.name;
  await qmp.execute('device_add', { driver: 'usb-bot', id, serial: id, bus: 'usb.0' });
  await qmp.execute('device_add', {
    driver: 'scsi-hd',
    id: `${id}-disk`,
    bus: `${id}.0`,
    drive: node,
    removable: true,
    logical_block_size: sectorSize,
    physical_block_size: sectorSize,
  });
  const path = `/machine/peripheral/${id}`;
  await qmp.execute('qom-set', { path, property: 'attached', value: true });
}
