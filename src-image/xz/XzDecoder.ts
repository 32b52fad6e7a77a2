import { loadLiblzma, type Liblzma } from './Liblzma.ts';

/** What a decoder reads: fills `target` from its beginning, returns the bytes, 0 at the end. */
export type XzInput = (target: Uint8Array) => number;

/** Takes a chunk that is valid until the promise settles, and the input bytes used so far. */
export type XzOutput = (chunk: Uint8Array, consumed: number) => Promise<void> | void;

/** How a decoding ended; `consumed` is where the input stopped making sense. */
export interface XzOutcome {
  readonly result: 'complete' | 'truncated' | 'corrupt' | 'foreign' | 'unsupported';
  readonly consumed: number;
  readonly produced: number;
}

const inputBytes = 256 * 1024;
const outputBytes = 1024 * 1024;
/** Enough for a dictionary of 128 MiB, twice that of `xz -9`. */
const mostMemory = 192n * 1024n * 1024n;

/** The C structure lzma_stream on a 32-bit machine (liblzma, api/lzma/base.h). */
const streamBytes = 96;
const field = { nextIn: 0, availableIn: 4, nextOut: 16, availableOut: 20 } as const;

/** api/lzma/base.h, lzma_ret. */
const lzma = { ok: 0 } as const;
const results: Readonly<Record<number, XzOutcome['result']>> = {
  1: 'complete',
  3: 'unsupported', // unknown check
  5: 'unsupported', // more memory than there is
  6: 'unsupported', // more memory than allowed
  7: 'foreign', // not the magic bytes of a stream
  8: 'unsupported', // filters or flags
  9: 'corrupt',
  10: 'truncated', // no progress without more input
};
const action = { run: 0, finish: 3 } as const;
/** api/lzma/container.h: LZMA_TELL_UNSUPPORTED_CHECK and LZMA_CONCATENATED. */
const flags = { tellUnsupportedCheck: 0x02, concatenated: 0x08 } as const;

/**
 * Decodes whole .xz files or single streams by liblzma, over one input and one output buffer in its
 * heap. Decodes one thing at a time; the dictionary is kept for the next.
 */
export class XzDecoder {
  readonly #liblzma: Liblzma;
  readonly #stream: number;
  readonly #input: number;
  readonly #output: number;

  private constructor(liblzma: Liblzma) {
    this.#liblzma = liblzma;
    this.#stream = liblzma._malloc(streamBytes);
    this.#input = liblzma._malloc(inputBytes);
    this.#output = liblzma._malloc(outputBytes);
    liblzma.HEAPU8.fill(0, this.#stream, this.#stream + streamBytes);
  }

  static async create(): Promise<XzDecoder> {
    return new XzDecoder(await loadLiblzma());
  }

  /** Decodes all streams of `input`, paddings between and after them included. */
  async decode(input: XzInput, output: XzOutput): Promise<XzOutcome> {
    const source = { input, supplied: 0, ended: false };
    let produced = 0;
    this.#set(field.availableIn, 0);
    let status = this.#liblzma._lzma_stream_decoder(
      this.#stream,
      mostMemory,
      flags.tellUnsupportedCheck | flags.concatenated,
    );
    while (status === lzma.ok) {
      status = this.#fillOutput(source);
      const length = outputBytes - this.#get(field.availableOut);
      const consumed = source.supplied - this.#get(field.availableIn);
      produced += length;
      if (length > 0) {
        await output(this.#liblzma.HEAPU8.subarray(this.#output, this.#output + length), consumed);
      }
    }
    const consumed = source.supplied - this.#get(field.availableIn);
    return { result: results[status] ?? 'corrupt', consumed, produced };
  }

  #fillOutput(source: { input: XzInput; supplied: number; ended: boolean }): number {
    this.#set(field.nextOut, this.#output);
    this.#set(field.availableOut, outputBytes);
    for (;;) {
      if (this.#get(field.availableIn) === 0 && !source.ended) {
        const heap = this.#liblzma.HEAPU8;
        const got = source.input(heap.subarray(this.#input, this.#input + inputBytes));
        source.supplied += got;
        source.ended = got === 0;
        this.#set(field.nextIn, this.#input);
        this.#set(field.availableIn, got);
      }
      const next = source.ended ? action.finish : action.run;
      const status = this.#liblzma._lzma_code(this.#stream, next);
      if (status !== lzma.ok || this.#get(field.availableOut) === 0) return status;
    }
  }

  #set(offset: number, value: number): void {
    this.#liblzma.setValue(this.#stream + offset, value, 'i32');
  }

  #get(offset: number): number {
    return this.#liblzma.getValue(this.#stream + offset, 'i32');
  }
}
