import { decodeMarker } from '../../src-writer/engine/UnfinishedMarker.ts';
import { usedRanges } from './ImageMap.ts';
import { paddedBytes } from './Scenario.ts';
import type { Scenario } from './Scenario.ts';

const MIB = 1 << 20;

/** What a card of a run holds at its end, seen against what it held before and what it was to hold. */
export class CardContent {
  readonly #bytes: Uint8Array;
  readonly #before: Uint8Array;
  readonly #image: Uint8Array;
  readonly #map: readonly number[] | null;

  readonly #imageEnd: number;

  /** @param scenario of the run @param image decompressed, as its file had it */
  constructor(scenario: Scenario, image: Uint8Array, before: Uint8Array, bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#before = before;
    this.#image = image;
    this.#map = scenario.map;
    this.#imageEnd = paddedBytes(image.length, scenario);
  }

  get isUnchanged(): boolean {
    return same(this.#bytes, this.#before);
  }

  /** It carries this job's marker, and the first sector offers nothing to boot. */
  get isMarked(): boolean {
    const boots = this.#bytes.subarray(0, 512).some((byte) => byte === 0x55 || byte === 0xaa);
    return !boots && decodeMarker(this.#bytes)?.jobId === 'fault-run';
  }

  /** Nothing of the image got on it yet: at most the marker and the zeros at the end. */
  get isBeforeImage(): boolean {
    const { head, tail } = this.#edges();
    const isSame = same(this.#bytes.subarray(head, tail), this.#before.subarray(head, tail));
    return isSame && (this.isMarked || this.#isAsBefore(0, head));
  }

  /** Its last sector holds what it held before, where a GPT has its copy. */
  get keepsTail(): boolean {
    const old = this.#before.subarray(-512);
    const isBlank = old.every((byte) => byte === 0);
    return !isBlank && same(this.#bytes.subarray(-512), old);
  }

  /** What of the image belongs on it is there; nothing is said of the rest. */
  get holdsImage(): boolean {
    const ranges = usedRanges(this.#image.length, this.#map);
    return ranges.every(({ offset, end }) =>
      same(this.#bytes.subarray(offset, end), this.#image.subarray(offset, end)),
    );
  }

  /**
   * Where the first byte is that is not as it must be when all was written: what belongs on the card
   * is there, what does not is as it was, or zeros in the last MiB. null if there is none.
   */
  get difference(): number | null {
    const { tail } = this.#edges();
    const expected = this.#before.slice();
    expected.fill(0, tail);
    // The image's first MiB, padded with zeros if the image is shorter.
    expected.fill(0, this.#image.length, MIB);
    for (const { offset, end } of usedRanges(this.#image.length, this.#map)) {
      expected.set(this.#image.subarray(offset, end), offset);
      if (end === this.#image.length) expected.fill(0, end, this.#imageEnd);
    }
    if (same(this.#bytes, expected)) return null;
    return this.#bytes.findIndex((byte, at) => byte !== expected[at]);
  }

  #isAsBefore(start: number, end: number): boolean {
    return same(this.#bytes.subarray(start, end), this.#before.subarray(start, end));
  }

  #edges(): { head: number; tail: number } {
    const { length } = this.#bytes;
    const head = Math.min(MIB, length);
    return { head, tail: Math.max(head, length - MIB) };
  }
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
