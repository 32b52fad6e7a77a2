/** Where the medium of a device went, as far as the system can tell. */
export type Presence = 'present' | 'no-medium' | 'gone';

/**
 * A card as the engine sees it. Buffers are slots of the ring, so that they are aligned; positions
 * and lengths are multiples of the logical block size. Faults are injected in tests by passing a
 * bad one. Rejections carry the system's `code` (EIO, ENOSPC ...).
 */
export interface Device {
  /** Bytes. */
  readonly size: number;
  readonly logicalBlockSize: number;
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills all of `bytes`, from the medium and not from a cache. */
  read(bytes: Uint8Array, position: number): Promise<void>;
  /** Resolves when everything written is on the medium. */
  flush(): Promise<void>;
  presence(): Promise<Presence>;
  close(): Promise<void>;
}
