import type { ImageFormat } from '../src-core/FlashEvent.ts';

/**
 * Random access to the bytes of an image file. Reads are synchronous because decoders run on
 * threads of their own; implementations wrap an open descriptor or, in tests, a byte array.
 */
export interface ImageFile {
  /** Shown in failures. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /**
   * Fills `target` from `position` on; returns the bytes read, fewer only at the end of the file.
   * @throws FailureError image-unreadable
   */
  read(target: Uint8Array, position: number): number;
}

/** A piece of the image that can be decoded without the pieces before it. */
export interface Segment {
  readonly index: number;
  /** Where its decompressed bytes begin. */
  readonly outputOffset: number;
  /** Decompressed bytes; null where only decoding tells (then it is the only segment). */
  readonly outputSize: number | null;
  /** Where its compressed bytes begin in the file, and how many there are. */
  readonly inputOffset: number;
  readonly inputSize: number;
}

/** How an image file is to be decoded, found out without decoding all of it. Plain data: it crosses threads. */
export interface DecodePlan {
  readonly format: ImageFormat;
  /** Decompressed bytes of the whole image; null where the format does not tell before the end. */
  readonly size: number | null;
  /** In output order, without gaps. More than one only where they can be decoded in parallel. */
  readonly segments: readonly Segment[];
  /** What the format needs to decode a segment (xz: the stream header; zip: method and CRC). */
  readonly details: FormatDetails;
}

export type FormatDetails =
  | { readonly kind: 'plain' }
  | { readonly kind: 'xz-blocks'; readonly streamHeaders: readonly string[] }
  | { readonly kind: 'zip-entry'; readonly method: 'stored' | 'deflate'; readonly crc32: number };

/** Receives decompressed bytes in order; the chunk is only valid until the returned promise settles. */
export type DecodedChunkSink = (chunk: Uint8Array, inputConsumed: number) => Promise<void> | void;

/**
 * Where the sink wants the next bytes: a decoder that can puts them there, at least one and at most
 * as many as fit, and hands on that very memory, which then need not be copied.
 */
export type DecodingRoom = () => Promise<Uint8Array>;
