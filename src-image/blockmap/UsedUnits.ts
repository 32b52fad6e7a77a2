import { alwaysUsedBytes, rangeAlignment, type ByteRange } from './RangeMapper.ts';

export interface BridgeOptions {
  /** Gaps of fewer bytes than this are written too: one long write beats two short ones. */
  readonly bridge?: number;
  /** How much of that there may be, as a share of the used bytes so far. */
  readonly budget?: number;
}

const defaultBridge = 16 * 1024;
const defaultBudget = 0.01;

/** Which 4096-byte units of the chunk at hand are used. One instance serves a whole image. */
export class UsedUnits {
  readonly #bridge: number;
  readonly #budget: number;
  #units = new Uint8Array(256);
  #count = 0;
  #offset = 0;
  #end = 0;
  #usedBytes = 0;
  #bridgedBytes = 0;

  constructor({ bridge = defaultBridge, budget = defaultBudget }: BridgeOptions = {}) {
    this.#bridge = bridge;
    this.#budget = budget;
  }

  /** Bytes of the image at which the chunk at hand begins. */
  get start(): number {
    return this.#offset;
  }

  /** Bytes of the image at which the chunk at hand ends. */
  get end(): number {
    return this.#end;
  }

  /** Turns to the next chunk (bytes), all of it used or all of it free so far. */
  begin(offset: number, length: number, used: boolean): void {
    this.#offset = offset;
    this.#end = offset + length;
    this.#count = Math.ceil(length / rangeAlignment);
    if (this.#units.length < this.#count) this.#units = new Uint8Array(this.#count);
    this.#units.fill(used ? 1 : 0, 0, this.#count);
  }

  /** Marks every unit that these bytes of the image touch. */
  markUsed(start: number, end: number): void {
    if (end <= this.#offset || start >= this.#end || end <= start) return;
    const first = Math.floor((Math.max(start, this.#offset) - this.#offset) / rangeAlignment);
    const last = Math.ceil((Math.min(end, this.#end) - this.#offset) / rangeAlignment);
    this.#units.fill(1, first, last);
  }

  /** Marks every unit that lies wholly within these bytes of the image. */
  markFree(start: number, end: number): void {
    if (end <= this.#offset || start >= this.#end || end <= start) return;
    const first = Math.ceil((Math.max(start, this.#offset) - this.#offset) / rangeAlignment);
    const last = end >= this.#end ? this.#count : Math.floor((end - this.#offset) / rangeAlignment);
    if (first < last) this.#units.fill(0, first, last);
  }

  /** The used ranges of the chunk at hand, small gaps bridged. To be called once a chunk. */
  ranges(): ByteRange[] {
    this.markUsed(0, alwaysUsedBytes);
    const units = this.#units.subarray(0, this.#count);
    const ranges: ByteRange[] = [];
    let open: { start: number; end: number } | null = null;
    let first = units.indexOf(1);
    while (first !== -1) {
      const next = units.indexOf(0, first);
      const last = next === -1 ? this.#count : next;
      const start = this.#offset + first * rangeAlignment;
      const end = Math.min(this.#offset + last * rangeAlignment, this.#end);
      this.#usedBytes += end - start;
      if (open !== null && this.#bridges(start - open.end)) {
        open.end = end;
      } else {
        open = { start, end };
        ranges.push(open);
      }
      first = next === -1 ? -1 : units.indexOf(1, next);
    }
    return ranges;
  }

  #bridges(gap: number): boolean {
    if (gap >= this.#bridge) return false;
    if (this.#bridgedBytes + gap > this.#budget * this.#usedBytes) return false;
    this.#bridgedBytes += gap;
    return true;
  }
}
