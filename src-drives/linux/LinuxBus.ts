import type { Bus } from '../../src-core/Drive.ts';
import type { BlockNode } from './BlockGraph.ts';

/** Names of devices that exist in memory or over the network only. */
const virtualName = /^(loop|zram|nbd|ram|nullb|zd|rbd|drbd)\d/;

/** Names that lsblk's TRAN column has for a bus. */
const transports: Readonly<Record<string, Bus>> = {
  usb: 'usb',
  sata: 'sata',
  ata: 'sata',
  nvme: 'nvme',
  virtio: 'virtio',
  ieee1394: 'firewire',
  sbp: 'firewire',
};

/** First match wins: a USB reader behind a Thunderbolt dock is a USB reader. */
const places: readonly (readonly [RegExp, Bus])[] = [
  [/\/usb\d+\//, 'usb'],
  [/\/fw\d+(\.\d+)?\//, 'firewire'],
  [/\/nvme(-subsystem)?\//, 'nvme'],
  [/\/ata\d+\//, 'sata'],
  [/\/virtio\d+\//, 'virtio'],
  [/^\/devices\/virtual\//, 'virtual'],
];

function mmcBus(type: string | null): Bus {
  return type === 'SD' || type === 'SDcombo' ? 'sd' : 'emmc';
}

/**
 * How a Linux drive is attached, from its place in the device tree; from lsblk's word for it where
 * the tree cannot be read. What the kernel calls an MMC is soldered eMMC for all we know; a disk
 * on PCI that can be pulled sits behind Thunderbolt.
 */
export function linuxBus({ name, sys, listed }: BlockNode): Bus {
  if (virtualName.test(name)) return 'virtual';
  if (name.startsWith('mmcblk')) return mmcBus(sys?.mmcType ?? null);
  if (sys !== null) {
    const bus = places.find(([place]) => place.test(sys.devicePath))?.[1] ?? 'other';
    return (bus === 'nvme' || bus === 'sata') && sys.pluggable ? 'thunderbolt' : bus;
  }
  return transports[listed?.transport ?? ''] ?? 'other';
}

/** The nearest controller in a device path, named as udev's path_id names it. */
function controller(segments: readonly string[]): string | null {
  for (const [index, segment] of [...segments.entries()].reverse()) {
    if (/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]$/.test(segment)) return `pci-${segment}`;
    const isPlatform = segments[0] === 'platform' || segments[index - 1] === 'platform';
    if (isPlatform && index > 0 && /\.[a-z]|^[0-9a-f]{4,}\./.test(segment)) {
      return `platform-${segment}`;
    }
  }
  return null;
}

/**
 * The stable path of the slot a medium sits in, in the form of udev's ID_PATH: it tells the slots
 * of one reader apart and stays the same when a card is changed.
 */
export function slotOf(devicePath: string): string | null {
  const segments = devicePath.split('/').slice(2);
  const scsi = /^\d+:(\d+:\d+:\d+)$/.exec(
    segments.findLast((part) => /^\d+:\d+:\d+:\d+$/.test(part)) ?? '',
  );
  const usbInterface = segments.findLast((part) => /^\d+-[\d.]+:\d+\.\d+$/.test(part));
  if (usbInterface !== undefined) {
    const bus = segments.findIndex((part) => /^usb\d+$/.test(part));
    return [
      controller(segments.slice(0, bus)),
      `usb-0:${usbInterface.replace(/^\d+-/, '')}`,
      scsi === null ? null : `scsi-0:${scsi[1] ?? ''}`,
    ]
      .filter((part) => part !== null)
      .join('-');
  }
  const mmcHost = segments.indexOf('mmc_host');
  if (mmcHost > 0) return controller(segments.slice(0, mmcHost));
  return null;
}
