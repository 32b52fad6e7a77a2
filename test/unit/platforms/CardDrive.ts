import type { Drive } from '../../../src-core/Drive.ts';

/** A used card in a USB reader: one FAT partition that is mounted. */
export function cardDrive(changes: Partial<Drive>): Drive {
  return {
    path: '/dev/disk2',
    name: 'disk2',
    label: 'Generic MassStorageClass',
    serial: '000000001538',
    wwn: null,
    sequence: 4294970720,
    slot: null,
    cardId: null,
    size: 31_914_983_424,
    logicalBlockSize: 512,
    bus: 'usb',
    removable: true,
    readOnly: false,
    hasMedium: true,
    virtual: false,
    partitions: [
      {
        name: 'disk2s1',
        label: 'boot',
        fileSystem: 'vfat',
        size: 268_435_456,
        used: null,
        mounts: [{ path: '/Volumes/boot', automounted: true }],
      },
    ],
    uses: [],
    openedBy: [],
    contentUnread: false,
    unfinished: false,
    ...changes,
  };
}
