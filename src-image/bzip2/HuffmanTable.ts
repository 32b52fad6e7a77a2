import type { Bzip2Bits } from './Bzip2Bits.ts';

/** The longest code that bzip2 allows, in bits. */
export const longestCode = 20;

const fastBits = 10;
const mostSymbols = 258;

/** Canonical Huffman codes: a table for the first 10 bits, a search by length for longer codes. */
export class HuffmanTable {
  /** The symbol times 32 plus the length of its code; 0 where the code is longer than the table. */
  readonly #fast = new Uint16Array(1 << fastBits);
  readonly #counts = new Uint16Array(longestCode + 1);
  readonly #firstCodes = new Uint32Array(longestCode + 1);
  readonly #firstIndexes = new Uint16Array(longestCode + 1);
  readonly #symbols = new Uint16Array(mostSymbols);

  /** Takes the code length (1 to 20) of each symbol. Returns false where no such code can exist. */
  build(lengths: Uint8Array): boolean {
    this.#fast.fill(0);
    this.#counts.fill(0);
    for (const length of lengths) this.#counts[length] = (this.#counts[length] ?? 0) + 1;
    let code = 0;
    let index = 0;
    for (let length = 1; length <= longestCode; length++) {
      this.#firstCodes[length] = code;
      this.#firstIndexes[length] = index;
      lengths.forEach((own, symbol) => {
        if (own !== length) return;
        this.#symbols[index++] = symbol;
        if (length <= fastBits) this.#fillFast(code, length, symbol);
        code++;
      });
      if (code > 2 ** length) return false;
      code *= 2;
    }
    return true;
  }

  /** The next symbol, or -1 where the bits are no code. */
  decode(bits: Bzip2Bits): number {
    const window = bits.peek(longestCode);
    const fast = this.#fast[window >>> (longestCode - fastBits)] ?? 0;
    if (fast !== 0) {
      bits.skip(fast & 31);
      return fast >> 5;
    }
    for (let length = fastBits + 1; length <= longestCode; length++) {
      const step = (window >>> (longestCode - length)) - (this.#firstCodes[length] ?? 0);
      if (step >= 0 && step < (this.#counts[length] ?? 0)) {
        bits.skip(length);
        return this.#symbols[(this.#firstIndexes[length] ?? 0) + step] ?? -1;
      }
    }
    return -1;
  }

  #fillFast(code: number, length: number, symbol: number): void {
    const from = code << (fastBits - length);
    this.#fast.fill((symbol << 5) | length, from, from + (1 << (fastBits - length)));
  }
}
