import type { DecodedChunkSink, ImageFile, Segment } from '../ImageSource.ts';

/** 24 MiB of zeros, a block of `xz -6`, take 3.6 KiB; what takes more is not looked at. */
const mostInput = 64 * 1024;

const zeros = new Uint8Array(1024 * 1024);

/**
 * A block as it lies in the file, so small that it may hold nothing but zeros. More than half of a
 * card image is empty, and all of its empty blocks are the same few bytes: when one of them was
 * decoded and verified, it is enough of the others that they are the same.
 */
export class BlankBlock {
  /** With the padding behind it, which belongs to the block. */
  readonly #bytes: Uint8Array;
  readonly #inputSize: number;
  readonly #outputSize: number;
  /** Of its stream, which tells the kind of check. */
  readonly #streamHeader: string;

  private constructor(
    bytes: Uint8Array,
    inputSize: number,
    outputSize: number,
    streamHeader: string,
  ) {
    this.#bytes = bytes;
    this.#inputSize = inputSize;
    this.#outputSize = outputSize;
    this.#streamHeader = streamHeader;
  }

  /** @returns null where the block is too large for it, or cut */
  static read(file: ImageFile, segment: Segment, streamHeader: string): BlankBlock | null {
    const { inputOffset, inputSize, outputSize } = segment;
    if (inputSize > mostInput || outputSize === null) return null;
    const bytes = new Uint8Array(Math.ceil(inputSize / 4) * 4);
    if (file.read(bytes, inputOffset) < bytes.length) return null;
    return new BlankBlock(bytes, inputSize, outputSize, streamHeader);
  }

  equals(other: BlankBlock): boolean {
    return (
      this.#inputSize === other.#inputSize &&
      this.#outputSize === other.#outputSize &&
      this.#streamHeader === other.#streamHeader &&
      Buffer.compare(this.#bytes, other.#bytes) === 0
    );
  }

  /** Hands on what it was decoded to. */
  async handOn(sink: DecodedChunkSink): Promise<void> {
    for (let done = 0; done < this.#outputSize;) {
      const chunk = zeros.subarray(0, this.#outputSize - done);
      done += chunk.length;
      await sink(chunk, Math.floor(this.#inputSize * (done / this.#outputSize)));
    }
  }
}

/** Whether a chunk of at most 1 MiB is nothing but zeros. */
export function isBlankChunk(chunk: Uint8Array): boolean {
  return Buffer.compare(chunk, zeros.subarray(0, chunk.length)) === 0;
}
