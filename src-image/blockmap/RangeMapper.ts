/** Bytes from `start` up to, not including, `end`, counted from the beginning of the image. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Ranges begin and end at multiples of this, except at the image's end. Direct I/O asks for it. */
export const rangeAlignment = 4096;

/** The partition tables lie here; the writer writes it last, whole, and in any case. */
export const alwaysUsedBytes = 1024 * 1024;

/** Says which parts of a decoded image have to be written to the card. */
export interface RangeMapper {
  /**
   * The used ranges of one chunk: sorted, disjoint, inside the chunk, aligned to
   * {@link rangeAlignment}. Everything below {@link alwaysUsedBytes} is used.
   *
   * Called with consecutive chunks from offset 0 on. `offset` (bytes) is a multiple of
   * {@link rangeAlignment}, and so is the chunk's length, the image's last chunk excepted. The
   * chunk may be a view of shared memory; it is not kept.
   * @throws FailureError block-map-mismatch, used-blocks-unavailable
   */
  map(offset: number, chunk: Uint8Array): ByteRange[];

  /**
   * Called once after the last chunk.
   * @throws FailureError block-map-mismatch, used-blocks-unavailable
   */
  finish(): void;
}
