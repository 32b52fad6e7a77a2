import { imageFailures } from '../ImageFailures.ts';
import type { Bzip2Bits } from './Bzip2Bits.ts';
import { HuffmanTable, longestCode } from './HuffmanTable.ts';

const { corrupt, unsupported } = imageFailures('bzip2');

/** After so many symbols the next selector names the table. */
const groupSize = 50;
const mostTables = 6;
const bytesPerLevel = 100_000;

/** CRC-32 with the polynomial 0x04c11db7, the highest bit first, as bzip2 uses it. */
const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? 0x04c11db7 : 0);
  return value;
});

/**
 * One block of a bzip2 stream: Huffman codes, move to front, the inverse of the Burrows-Wheeler
 * transform and the run lengths of the first step (format: bzip2 1.0.8, decompress.c; "BZIP2: Format
 * Specification" by J. Tsai, sections 2 and 3). Its memory serves each block in turn.
 */
export class Bzip2Block {
  readonly #bits: Bzip2Bits;
  /** In the low 8 bits a byte, in the others the index of the link that follows it. */
  readonly #links = new Uint32Array(9 * bytesPerLevel);
  readonly #tables = Array.from({ length: mostTables }, () => new HuffmanTable());
  readonly #selectors = new Uint8Array(1 << 15);
  readonly #front = new Uint8Array(256);
  readonly #counts = new Uint32Array(256);
  #capacity = 0;
  #next = 0;
  #remaining = 0;
  #last = -1;
  #runLength = 0;
  #repeats = 0;
  #crc = 0;
  #expectedCrc = 0;

  constructor(bits: Bzip2Bits) {
    this.#bits = bits;
  }

  /**
   * Reads a block, after its magic; returns the CRC that it promises. `level` is the digit of the
   * stream's header: a block holds at most so many times 100,000 bytes before the last step.
   * @throws FailureError image-truncated, image-corrupt, image-unsupported
   */
  load(level: number): number {
    const bits = this.#bits;
    this.#capacity = level * bytesPerLevel;
    this.#expectedCrc = bits.read32();
    if (bits.read(1) === 1) {
      throw unsupported(bits.file, 'randomised block');
    }
    const origin = bits.read(24);
    const used = this.#readUsedBytes();
    const selectors = this.#readTables(used + 2);
    const count = this.#readSymbols(used, selectors);
    if (origin >= count) throw this.#corrupt();
    this.#invert(count);
    this.#next = (this.#links[origin] ?? 0) >>> 8;
    this.#remaining = count;
    this.#last = -1;
    this.#runLength = 0;
    this.#crc = -1;
    return this.#expectedCrc;
  }

  /**
   * Writes decoded bytes into `target` from `from` on; returns where they end. When that is before
   * the end of `target`, the block is complete and its CRC was right.
   * @throws FailureError image-corrupt
   */
  emit(target: Uint8Array, from: number): number {
    let at = from;
    while (at < target.length) {
      if (this.#repeats > 0) {
        const end = Math.min(at + this.#repeats, target.length);
        target.fill(this.#last, at, end);
        this.#repeats -= end - at;
        at = end;
      } else if (this.#remaining > 0) {
        at = this.#emitUntilRun(target, at);
      } else {
        break;
      }
    }
    this.#sum(target, from, at);
    if (at < target.length && ~this.#crc >>> 0 !== this.#expectedCrc) throw this.#corrupt();
    return at;
  }

  /** Four equal bytes are followed by the number of further ones. */
  #emitUntilRun(target: Uint8Array, from: number): number {
    const links = this.#links;
    let at = from;
    let next = this.#next;
    let remaining = this.#remaining;
    let last = this.#last;
    let runLength = this.#runLength;
    while (remaining > 0 && at < target.length) {
      const link = links[next] ?? 0;
      const byte = link & 0xff;
      next = link >>> 8;
      remaining--;
      if (runLength === 4) {
        this.#repeats = byte;
        runLength = 0;
        break;
      }
      runLength = byte === last ? runLength + 1 : 1;
      last = byte;
      target[at++] = byte;
    }
    this.#next = next;
    this.#remaining = remaining;
    this.#last = last;
    this.#runLength = runLength;
    return at;
  }

  #sum(bytes: Uint8Array, from: number, to: number): void {
    let crc = this.#crc;
    for (let at = from; at < to; at++) {
      crc = (crc << 8) ^ (crcTable[(crc >>> 24) ^ (bytes[at] ?? 0)] ?? 0);
    }
    this.#crc = crc;
  }

  /** Fills the move-to-front list with the bytes that the block uses, in rising order. */
  #readUsedBytes(): number {
    const groups = this.#bits.read(16);
    let used = 0;
    for (let group = 0; group < 16; group++) {
      const members = (groups & (0x8000 >> group)) === 0 ? 0 : this.#bits.read(16);
      for (let member = 0; member < 16; member++) {
        if ((members & (0x8000 >> member)) !== 0) this.#front[used++] = group * 16 + member;
      }
    }
    if (used === 0) throw this.#corrupt();
    return used;
  }

  /** Reads selectors and tables; returns the number of selectors. */
  #readTables(symbols: number): number {
    const bits = this.#bits;
    const tables = bits.read(3);
    const selectors = bits.read(15);
    if (tables < 2 || tables > mostTables || selectors === 0) throw this.#corrupt();
    const order = Uint8Array.from({ length: tables }, (_, table) => table);
    for (let selector = 0; selector < selectors; selector++) {
      let index = 0;
      while (bits.read(1) === 1) index++;
      const table = order[index];
      if (table === undefined) throw this.#corrupt();
      order.copyWithin(1, 0, index);
      order[0] = table;
      this.#selectors[selector] = table;
    }
    for (const table of this.#tables.slice(0, tables)) {
      if (!table.build(this.#readLengths(symbols))) throw this.#corrupt();
    }
    return selectors;
  }

  #readLengths(symbols: number): Uint8Array {
    const bits = this.#bits;
    const lengths = new Uint8Array(symbols);
    let length = bits.read(5);
    for (let symbol = 0; symbol < symbols; symbol++) {
      while (bits.read(1) === 1) {
        length += bits.read(1) === 1 ? -1 : 1;
        if (length < 1 || length > longestCode) throw this.#corrupt();
      }
      if (length < 1 || length > longestCode) throw this.#corrupt();
      lengths[symbol] = length;
    }
    return lengths;
  }

  /** Undoes Huffman codes, run lengths and move to front; returns the number of bytes. */
  #readSymbols(used: number, selectors: number): number {
    const front = this.#front;
    const endOfBlock = used + 1;
    this.#counts.fill(0);
    let count = 0;
    let weight = 1;
    let run = 0;
    for (let selector = 0; selector < selectors; selector++) {
      const table = this.#tables[this.#selectors[selector] ?? 0];
      if (table === undefined) break;
      for (let inGroup = 0; inGroup < groupSize; inGroup++) {
        const symbol = table.decode(this.#bits);
        if (symbol === 0 || symbol === 1) {
          run += weight << symbol;
          weight *= 2;
          if (run > this.#capacity) throw this.#corrupt();
          continue;
        }
        if (run > 0) {
          count = this.#append(front[0] ?? 0, run, count);
          run = 0;
          weight = 1;
        }
        if (symbol === endOfBlock) return count;
        if (symbol < 0) throw this.#corrupt();
        count = this.#append(toFront(front, symbol - 1), 1, count);
      }
    }
    throw this.#corrupt();
  }

  #append(byte: number, times: number, count: number): number {
    const end = count + times;
    if (end > this.#capacity) throw this.#corrupt();
    if (times === 1) this.#links[count] = byte;
    else this.#links.fill(byte, count, end);
    this.#counts[byte] = (this.#counts[byte] ?? 0) + times;
    return end;
  }

  /** The inverse Burrows-Wheeler transform: links each byte to the one that follows it. */
  #invert(count: number): void {
    const links = this.#links;
    const starts = this.#counts;
    let sum = 0;
    for (let byte = 0; byte < 256; byte++) {
      const own = starts[byte] ?? 0;
      starts[byte] = sum;
      sum += own;
    }
    for (let index = 0; index < count; index++) {
      const byte = (links[index] ?? 0) & 0xff;
      const place = starts[byte] ?? 0;
      starts[byte] = place + 1;
      links[place] = (links[place] ?? 0) | (index << 8);
    }
  }

  #corrupt(): Error {
    return corrupt(this.#bits.file, `block before ${String(this.#bits.position)}`);
  }
}

function toFront(list: Uint8Array, index: number): number {
  const byte = list[index] ?? 0;
  if (index < 32) {
    for (let at = index; at > 0; at--) list[at] = list[at - 1] ?? 0;
  } else {
    list.copyWithin(1, 0, index);
  }
  list[0] = byte;
  return byte;
}
