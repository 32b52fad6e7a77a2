import type { InflateRaw, ZstdDecompress } from 'node:zlib';
import type { DecodedChunkSink, DecodingRoom, ImageFile } from './ImageSource.ts';

const outputBytes = 1024 * 1024;
const inputBytes = 256 * 1024;

/** How the decoding of one member (a deflate stream, a zstd frame) ended. */
export interface MemberOutcome {
  /** null when the member is complete; else the code of zlib or zstd. */
  readonly error: string | null;
  /** Compressed bytes that belong to it, from its beginning. */
  readonly consumed: number;
}

/** Bytes of a file, from the one up to, but not including, the other. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Feeds a range of a file to a fresh decompressor until its member ends, and hands on what comes
 * out, waiting for the sink before more is decoded. `consumed` of the sink counts from the range's
 * beginning. The decompressor is destroyed, however this ends.
 *
 * @param room by default memory of its own
 * @throws what the file or the sink throws
 */
export async function decodeMember(
  stream: InflateRaw | ZstdDecompress,
  file: ImageFile,
  { from, to }: ByteRange,
  sink: DecodedChunkSink,
  room: DecodingRoom = ownRoom(),
): Promise<MemberOutcome> {
  const step = stepper(stream);
  const buffer = new Uint8Array(Math.min(inputBytes, to - from));
  let output = await room();
  let read = 0;
  let consumed = 0;
  let filled = 0;
  let input = buffer.subarray(0, 0);
  try {
    for (;;) {
      if (input.length === 0) {
        const wanted = buffer.subarray(0, to - from - read);
        input = wanted.subarray(0, file.read(wanted, from + read));
        read += input.length;
      }
      const isLast = input.length === 0;
      const { error, used, made } = step(input, output.subarray(filled), isLast);
      if (error !== null) return { error, consumed };
      consumed += used;
      filled += made;
      input = input.subarray(used);
      if (filled === output.length) {
        await sink(output, consumed);
        output = await room();
        filled = 0;
      } else if (isLast || input.length > 0) {
        // With room for more it would have taken more: the member is complete.
        if (filled > 0) await sink(output.subarray(0, filled), consumed);
        return { error: null, consumed };
      }
    }
  } finally {
    stream.destroy();
  }
}

function ownRoom(): DecodingRoom {
  const memory = new Uint8Array(outputBytes);
  return () => Promise.resolve(memory);
}

/** Decodes as much as input and room allow. */
type Step = (
  input: Uint8Array,
  room: Uint8Array,
  isLast: boolean,
) => { readonly error: string | null; readonly used: number; readonly made: number };

/**
 * What node:zlib's own synchronous functions call (Node 24: lib/zlib.js, processChunkSync;
 * src/node_zlib.cc, CompressionStream::Write). Its public streams give each piece to another thread
 * and put it into new memory, which costs more time than zstd itself; its public synchronous
 * functions want the whole output in memory. See docs/decisions/0007-decoding-and-hashing-without-waiting.md.
 */
interface ZlibInternals {
  readonly _finishFlushFlag: number;
  /** After a write: the room and the input that are left. */
  readonly _writeState: Uint32Array;
  readonly _handle: {
    onerror: (message: string, errno: number, code: string) => void;
    writeSync(
      ...args: [
        ...[flush: number, input: Uint8Array, inputAt: number, inputLength: number],
        ...[output: Uint8Array, outputAt: number, outputLength: number],
      ]
    ): void;
  };
}

/** Both zlib's Z_NO_FLUSH and zstd's ZSTD_e_continue. */
const proceed = 0;

function stepper(stream: InflateRaw | ZstdDecompress): Step {
  if (!hasInternals(stream)) {
    stream.destroy();
    throw new Error(`node:zlib of Node ${process.version} is not the one this was written for`);
  }
  const { _handle: handle, _writeState: state, _finishFlushFlag: finish } = stream;
  let error: string | null = null;
  handle.onerror = (_message, _errno, code) => {
    error = code;
  };
  return (input, room, isLast) => {
    handle.writeSync(isLast ? finish : proceed, input, 0, input.length, room, 0, room.length);
    const [roomLeft = NaN, inputLeft = NaN] = state;
    return { error, used: input.length - inputLeft, made: room.length - roomLeft };
  };
}

function hasInternals(stream: object): stream is ZlibInternals & { destroy(): void } {
  const { _handle, _writeState, _finishFlushFlag }: Partial<ZlibInternals> = stream;
  return (
    typeof _handle?.writeSync === 'function' &&
    typeof _handle.onerror === 'function' &&
    _writeState?.length === 2 &&
    typeof _finishFlushFlag === 'number'
  );
}
