import type { Drive } from '../../src-core/Drive.ts';
import type { EjectOutcome } from '../../src-core/FlashEvent.ts';

/** A device held open and exclusive for one job. */
export interface HeldDevice {
  /** How the engine gets at it: an inherited descriptor, or a path where those cannot be handed on. */
  readonly device:
    | { readonly kind: 'descriptor'; readonly fd: number }
    | { readonly kind: 'raw-path'; readonly path: string };
  /** Bytes, read from the open device itself. */
  readonly size: number;
  readonly logicalBlockSize: number;
  /** Whether all of it was discarded (see {@link DevicePlatform.hold}). */
  readonly discarded: boolean;
  /**
   * Ejects the medium, never the reader, and gives the device back. Where the system allows it the
   * device stays held until the medium is out, so that no desktop mounts it in between.
   * @throws FailureError eject-failed, unmount-failed, system-tool-missing
   */
  eject(): Promise<EjectOutcome>;
  /**
   * Gives the device back. Never throws; may be called twice.
   * @param rewritten has the system look at the new partition table, where it does not by itself
   */
  release(rewritten?: boolean): Promise<void>;
}

export interface HoldOptions {
  readonly forWriting: boolean;
  /** Called when a discard begins, from when on content may be missing; null to discard nothing. */
  readonly discard: (() => void) | null;
  readonly signal: AbortSignal;
}

/** What the supervisor asks of an operating system. One implementation each for Linux, macOS, Windows. */
export interface DevicePlatform {
  /**
   * The command line that runs the engine with the rights it is to have: absolute path first.
   * `handsFiles`: it runs as an account that cannot read what the caller can (the caller is root),
   * and is handed the image already open.
   * @throws FailureError system-tool-missing, internal
   */
  engineCommand(): Promise<{ readonly command: readonly string[]; readonly handsFiles: boolean }>;
  /**
   * The path under which a scan lists this device, with links followed.
   * @throws FailureError drive-not-found, drive-not-whole (a partition, or no block device at all)
   */
  wholeDevice(path: string): Promise<string>;
  /**
   * Unmounts everything on the drive (the medium only), locks it where the system needs that,
   * then opens it exclusively and past the page cache, and proves that it is still the given one.
   * @param forWriting false for `verify` and `inspect`: nothing is unmounted then, and the open is read-only
   * @param discard drop the whole medium's content first, where it can
   * @param signal ends what is under way, tools included, until the device is given back
   * @throws FailureError unmount-failed, drive-busy, drive-changed, write-protected,
   *   drive-open-failed, card-lost, reader-lost, permission-volume-access-refused,
   *   blocked-by-protection, system-tool-missing
   */
  hold(drive: Drive, options: HoldOptions): Promise<HeldDevice>;
}
