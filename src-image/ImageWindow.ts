import type { ImageFile } from './ImageSource.ts';

/** Small reads at rising positions from one buffer, for parsers of headers and tables. */
export class ImageWindow {
  readonly file: ImageFile;
  readonly #buffer: Uint8Array;
  #start = 0;
  #length = 0;

  /** `capacity` in bytes: small where the reads lie far apart. */
  constructor(file: ImageFile, capacity = 64 * 1024) {
    this.file = file;
    this.#buffer = new Uint8Array(capacity);
  }

  get capacity(): number {
    return this.#buffer.length;
  }

  /**
   * The bytes at `position`, fewer at the end of the file; valid until the next call.
   * `length` is at most the capacity.
   */
  at(position: number, length: number): Uint8Array {
    const from = position - this.#start;
    if (from < 0 || from + length > this.#length) {
      this.#start = position;
      this.#length = this.file.read(this.#buffer, position);
      return this.#buffer.subarray(0, Math.min(length, this.#length));
    }
    return this.#buffer.subarray(from, from + length);
  }
}

/** The position of the first byte that is not zero in [from, to), or `to`; at most one pass of reads. */
export function skipZeros(window: ImageWindow, from: number, to: number): number {
  let position = from;
  while (position < to) {
    const bytes = window.at(position, Math.min(window.capacity, to - position));
    if (bytes.length === 0) return position;
    const found = bytes.findIndex((byte) => byte !== 0);
    if (found >= 0) return position + found;
    position += bytes.length;
  }
  return to;
}

/** Bytes of an image, or of a device; `read` returns fewer bytes than asked for where there are no more. */
export interface ByteReader {
  /** Bytes, where known. */
  readonly size?: number;
  read(target: Uint8Array, position: number): number;
}

/** Up to `length` bytes at `position` in memory of their own, which is never larger than the file. */
export function bytesAt(reader: ByteReader, position: number, length: number): Uint8Array {
  const room = (reader.size ?? Infinity) - position;
  if (position < 0 || room <= 0) return new Uint8Array();
  const bytes = new Uint8Array(Math.min(length, room));
  return bytes.subarray(0, reader.read(bytes, position));
}

/** Little-endian numbers of a header, for parsers that have checked its length. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
