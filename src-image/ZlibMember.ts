import type { InflateRaw, ZstdDecompress } from 'node:zlib';
import type { DecodedChunkSink, ImageFile } from './ImageSource.ts';

/** Output of one step of a node:zlib stream, bytes. */
export const zlibChunkBytes = 1024 * 1024;

const inputBytes = 256 * 1024;

/** How the decoding of one member (a deflate stream, a zstd frame) ended. */
export interface MemberOutcome {
  /** null when the member is complete; else the code of zlib or zstd. */
  readonly error: string | null;
  /** Compressed bytes that belong to it, from its beginning. */
  readonly consumed: number;
}

/**
 * Feeds the bytes [from, to) of a file to a fresh decompressor until its member ends, and hands on
 * what comes out, waiting for the sink before more is decoded. `consumed` of the sink counts from
 * `from`. The decompressor is destroyed, however this ends.
 *
 * @throws what the file or the sink throws
 */
export async function decodeMember(
  stream: InflateRaw | ZstdDecompress,
  file: ImageFile,
  from: number,
  to: number,
  sink: DecodedChunkSink,
): Promise<MemberOutcome> {
  const next = reader(file, from, to);
  try {
    const error = await new Promise<string | null>((resolve, reject) => {
      const feed = (piece: Uint8Array): void => {
        if (stream.destroyed) return;
        if (piece.length === 0) {
          stream.end();
          return;
        }
        let following: Uint8Array | undefined;
        stream.write(piece, (cause) => {
          if (!cause && following !== undefined) feed(following);
        });
        try {
          following = next();
        } catch (cause) {
          reject(asError(cause));
        }
      };
      // A paused stream may still end: the last chunk is on its way then, and not yet delivered.
      let handing: Promise<void> = Promise.resolve();
      stream.on('data', (chunk: Uint8Array) => {
        stream.pause();
        handing = handOn(sink, chunk, stream.bytesWritten);
        handing.then(() => stream.resume(), reject);
      });
      stream.once('end', () => {
        handing.then(() => {
          resolve(null);
        }, reject);
      });
      stream.on('error', (cause: NodeJS.ErrnoException) => {
        resolve(cause.code ?? cause.message);
      });
      feed(next());
    });
    return { error, consumed: stream.bytesWritten };
  } finally {
    stream.destroy();
  }
}

async function handOn(sink: DecodedChunkSink, chunk: Uint8Array, consumed: number): Promise<void> {
  await sink(chunk, consumed);
  release(chunk);
}

/**
 * Gives back the memory of an output buffer at once when its end was handed on. Left to the garbage
 * collector, buffers of 1 MiB pile up to 64 MiB and more before it looks at them.
 */
function release({ buffer, byteOffset, length }: Uint8Array): void {
  const isUsedUp = length > 0 && byteOffset + length === buffer.byteLength;
  if (isUsedUp && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Pieces of the file from two buffers in turn: one may be read while the other is decoded. */
function reader(file: ImageFile, from: number, to: number): () => Uint8Array {
  const length = Math.min(inputBytes, to - from);
  const buffers = [new Uint8Array(length), new Uint8Array(length)];
  let position = from;
  return () => {
    const buffer = buffers.shift() ?? new Uint8Array(length);
    buffers.push(buffer);
    const got = file.read(buffer.subarray(0, to - position), position);
    position += got;
    return buffer.subarray(0, got);
  };
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
