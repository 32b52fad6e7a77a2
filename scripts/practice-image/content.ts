import { createHash } from 'node:crypto';

/** MBR disk signature; Linux builds the PARTUUIDs in cmdline.txt and fstab from it. */
export const DISK_ID = 'b0c4a7d1';

/** Files of the boot partition, as a Raspberry Pi OS card has them. */
export const bootFiles: ReadonlyMap<string, string> = new Map([
  [
    'cmdline.txt',
    `console=serial0,115200 console=tty1 root=PARTUUID=${DISK_ID}-02 rootfstype=ext4 fsck.repair=yes rootwait\n`,
  ],
  [
    'config.txt',
    [
      '# Settings that the firmware reads before Linux starts',
      'dtparam=audio=on',
      'camera_auto_detect=1',
      'display_auto_detect=1',
      'auto_initramfs=1',
      'arm_64bit=1',
      'disable_overscan=1',
      '',
      '[cm4]',
      'otg_mode=1',
      '',
      '[all]',
      '',
    ].join('\n'),
  ],
  [
    'issue.txt',
    'Raspberry Pi reference 2025-01-01\nMade by Boxwright for practice: it has no kernel and does not boot\n',
  ],
]);

export type RootEntry =
  | {
      readonly kind: 'folder';
      readonly path: string;
      readonly mode: number;
      readonly owner: number;
    }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly owner: number;
      readonly content: string | Uint8Array;
    }
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

/** The first user of a Raspberry Pi OS. */
const PI = 1000;

const folder = (path: string, mode = 0o755, owner = 0): RootEntry => ({
  kind: 'folder',
  path,
  mode,
  owner,
});

const file = (path: string, content: string | Uint8Array, mode = 0o644, owner = 0): RootEntry => ({
  kind: 'file',
  path,
  content,
  mode,
  owner,
});

/** Bytes that no decoder can shorten and that are always the same. */
function incompressibleBytes(length: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let index = 0; index * 32 < length; index += 1) {
    parts.push(
      createHash('sha256')
        .update(`boxwright practice ${String(index)}`)
        .digest(),
    );
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** The root file system, parents before children. */
export const rootEntries: readonly RootEntry[] = [
  ...['/boot', '/boot/firmware', '/dev', '/etc', '/home', '/mnt', '/proc', '/run', '/sys'].map(
    (path) => folder(path),
  ),
  folder('/root', 0o700),
  folder('/tmp', 0o1777),
  ...['/usr', '/usr/bin', '/usr/lib', '/usr/lib/firmware', '/var', '/var/lib', '/var/log'].map(
    (path) => folder(path),
  ),
  { kind: 'link', path: '/bin', to: 'usr/bin' },
  { kind: 'link', path: '/lib', to: 'usr/lib' },
  file(
    '/usr/lib/os-release',
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
  ),
  { kind: 'link', path: '/etc/os-release', to: '../usr/lib/os-release' },
  file('/etc/hostname', 'raspberrypi\n'),
  file('/etc/hosts', '127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n'),
  file('/etc/rpi-issue', bootFiles.get('issue.txt') ?? ''),
  file(
    '/etc/fstab',
    `PARTUUID=${DISK_ID}-01 /boot/firmware vfat defaults 0 2\nPARTUUID=${DISK_ID}-02 / ext4 defaults,noatime 0 1\n`,
  ),
  file('/etc/passwd', 'root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000:,,,:/home/pi:/bin/bash\n'),
  file('/etc/group', 'root:x:0:\npi:x:1000:\n'),
  file('/etc/shadow', 'root:*:20089:0:99999:7:::\npi:*:20089:0:99999:7:::\n', 0o600),
  folder('/home/pi', 0o700, PI),
  file('/home/pi/.profile', 'PATH="$HOME/bin:$PATH"\n', 0o644, PI),
  file('/usr/lib/firmware/practice.bin', incompressibleBytes(384 * 1024)),
];
