import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import createLiblzma from 'node-liblzma/wasm/liblzma.js';

/**
 * The bytes of liblzma.wasm in base64, put in place by the bundler's `define`; absent where the
 * source runs as it is, and the package's own file is read then.
 */
declare const LIBLZMA_WASM_BASE64: string | undefined;

/**
 * One instance of liblzma with a heap of its own (at most 256 MiB, as it was compiled): the functions
 * of api/lzma that are used here, over addresses in the heap, and Emscripten's access to it.
 */
export interface Liblzma {
  /** Replaced whenever the heap grows. */
  readonly HEAPU8: Uint8Array;
  _malloc(size: number): number;
  _lzma_stream_decoder(stream: number, memoryLimit: bigint, flags: number): number;
  _lzma_code(stream: number, action: number): number;
  setValue(address: number, value: number, type: 'i32'): void;
  getValue(address: number, type: 'i32'): number;
}

/** A new instance of liblzma 5.8 in WebAssembly, from the package node-liblzma. */
export async function loadLiblzma(): Promise<Liblzma> {
  const create: (options: Record<string, unknown>) => Promise<Liblzma> = createLiblzma;
  return create({ wasmBinary: wasmBytes(), printErr: () => undefined });
}

let bytes: Uint8Array | undefined;

function wasmBytes(): Uint8Array {
  bytes ??=
    typeof LIBLZMA_WASM_BASE64 === 'string'
      ? Buffer.from(LIBLZMA_WASM_BASE64, 'base64')
      : readFileSync(createRequire(import.meta.url).resolve('node-liblzma/wasm/liblzma.wasm'));
  return bytes;
}
