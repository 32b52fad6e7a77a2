interface Wanted<Tag> {
  readonly start: number;
  readonly length: number;
  readonly tag: Tag;
}

interface Partial<Tag> extends Wanted<Tag> {
  readonly bytes: Uint8Array;
}

const bucketBytes = 1024 * 1024;

/**
 * Picks byte ranges out of a stream that passes once, in order, in chunks of any size. Ranges whose
 * beginning has already passed are never delivered.
 */
export class RangeCollector<Tag> {
  readonly #buckets = new Map<number, Map<number, Wanted<Tag>>>();
  #partials: Partial<Tag>[] = [];
  #position: number;

  /** `position`: bytes of the stream that passed already. */
  constructor(position: number) {
    this.#position = position;
  }

  /** False where the range begins too early, or where another one begins at the same place. */
  want(start: number, length: number, tag: Tag): boolean {
    if (start < this.#position) return false;
    const key = Math.floor(start / bucketBytes);
    const bucket = this.#buckets.get(key) ?? new Map<number, Wanted<Tag>>();
    if (bucket.has(start)) return false;
    bucket.set(start, { start, length, tag });
    this.#buckets.set(key, bucket);
    return true;
  }

  /** Takes the next chunk; complete ranges are delivered in bytes that are valid during the call only. */
  feed(offset: number, chunk: Uint8Array, deliver: (tag: Tag, bytes: Uint8Array) => void): void {
    this.#continuePartials(offset, chunk, deliver);
    const end = offset + chunk.length;
    const lastKey = Math.floor((end - 1) / bucketBytes);
    for (let key = Math.floor(offset / bucketBytes); key <= lastKey; key++) {
      const bucket = this.#buckets.get(key);
      if (bucket === undefined) continue;
      for (const wanted of bucket.values()) {
        if (wanted.start < offset || wanted.start >= end) continue;
        bucket.delete(wanted.start);
        this.#begin(wanted, offset, chunk, deliver);
      }
      if (end >= (key + 1) * bucketBytes) this.#buckets.delete(key);
    }
    this.#position = end;
  }

  #begin(
    wanted: Wanted<Tag>,
    offset: number,
    chunk: Uint8Array,
    deliver: (tag: Tag, bytes: Uint8Array) => void,
  ): void {
    const part = chunk.subarray(wanted.start - offset, wanted.start - offset + wanted.length);
    if (part.length === wanted.length) {
      deliver(wanted.tag, part);
      return;
    }
    const bytes = new Uint8Array(wanted.length);
    bytes.set(part);
    this.#partials.push({ ...wanted, bytes });
  }

  #continuePartials(
    offset: number,
    chunk: Uint8Array,
    deliver: (tag: Tag, bytes: Uint8Array) => void,
  ): void {
    const open = this.#partials;
    this.#partials = [];
    for (const partial of open) {
      const filled = offset - partial.start;
      const missing = partial.length - filled;
      partial.bytes.set(chunk.subarray(0, missing), filled);
      if (chunk.length >= missing) deliver(partial.tag, partial.bytes);
      else this.#partials.push(partial);
    }
  }
}
