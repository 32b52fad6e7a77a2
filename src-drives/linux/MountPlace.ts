import type { UseKind } from '../../src-core/Drive.ts';
import { isBelow } from './MountTable.ts';

/** Below these the running system lives (hier(7), file-hierarchy(7), Nix, Guix, OSTree). */
const systemFolders = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/etc',
  '/var',
  '/opt',
  '/nix',
  '/gnu',
  '/sysroot',
  '/ostree',
  // A live system's medium: Debian live-boot, Ubuntu casper, dracut, Arch, Manjaro.
  '/lib/live',
  '/run/live',
  '/cdrom',
  '/rofs',
  '/run/initramfs',
  '/run/archiso',
  '/run/miso',
];

/** Places below a system folder that are anybody's: where mounts by hand lie on OSTree systems. */
const openFolders = ['/var/mnt', '/var/media', '/var/run/media', '/var/home', '/var/tmp'];

/** Mounted as such they belong to the system; what is mounted deeper in them need not. */
const systemPlaces = [
  /^(\/var)?\/home(\/[^/]+)?$/,
  /^\/root$/,
  /^\/var\/roothome$/,
  /^\/srv$/,
  /^\/tmp$/,
];

/** What the running system needs a mount for, or null where it can do without. */
export function useOfMount(path: string): Extract<UseKind, 'root' | 'boot' | 'system'> | null {
  if (path === '/') return 'root';
  if (/^\/(boot[^/]*|efi)(\/|$)/.test(path)) return 'boot';
  if (systemPlaces.some((place) => place.test(path))) return 'system';
  if (openFolders.some((folder) => isBelow(path, folder))) return null;
  return systemFolders.some((folder) => isBelow(path, folder)) ? 'system' : null;
}

/**
 * Whether a desktop mounts for its user there: udisks2 (/run/media/USER/LABEL, /media/USER/LABEL),
 * pmount, usbmount and ChromeOS (/media/...). /media itself is a mount by hand.
 */
export function isAutomounted(path: string): boolean {
  return /^(\/var)?\/run\/media\/./.test(path) || /^(\/var)?\/media\/./.test(path);
}
