import { imageFailures } from '../ImageFailures.ts';
import type { ImageFile } from '../ImageSource.ts';

const bufferBytes = 256 * 1024;

/** Reads bits from a file, the highest of each byte first. */
export class Bzip2Bits {
  readonly file: ImageFile;
  readonly #buffer = new Uint8Array(bufferBytes);
  #length = 0;
  #at = 0;
  #bufferEnd = 0;
  #bits = 0;
  #count = 0;

  constructor(file: ImageFile) {
    this.file = file;
  }

  /** Where in the file the next unread bit lies, in whole bytes. */
  get position(): number {
    return this.#bufferEnd - this.#length + this.#at - (this.#count >> 3);
  }

  /**
   * The next `count` bits (1 to 24) as a number.
   * @throws FailureError image-truncated
   */
  read(count: number): number {
    const value = this.peek(count);
    this.#count -= count;
    return value;
  }

  /** As {@link read}, but the bits stay. */
  peek(count: number): number {
    while (this.#count < count) {
      if (this.#at === this.#length) this.#refill();
      this.#bits = (this.#bits << 8) | (this.#buffer[this.#at++] ?? 0);
      this.#count += 8;
    }
    return (this.#bits >>> (this.#count - count)) & ((1 << count) - 1);
  }

  /** Passes over `count` bits that were looked at before. */
  skip(count: number): void {
    this.#count -= count;
  }

  /** The next 32 bits. */
  read32(): number {
    const high = this.read(16);
    return ((high << 16) | this.read(16)) >>> 0;
  }

  /** Passes over the rest of a byte. */
  align(): void {
    this.#count -= this.#count % 8;
  }

  #refill(): void {
    this.#length = this.file.read(this.#buffer, this.#bufferEnd);
    this.#bufferEnd += this.#length;
    this.#at = 0;
    if (this.#length === 0) throw imageFailures('bzip2').truncated(this.file);
  }
}
