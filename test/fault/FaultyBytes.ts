import type { Presence } from '../../src-writer/engine/Device.ts';

/** What goes wrong with a disk, and at which of its operations (counted from 0 over all kinds). */
export type DiskFault =
  | { readonly kind: 'none' }
  | { readonly kind: 'error'; readonly operation: number; readonly code: string }
  /** The reader is pulled (`gone`) or the card (`no-medium`): every operation fails from then on. */
  | {
      readonly kind: 'pulled';
      readonly operation: number;
      readonly presence: Presence;
      /**
       * Without a volatile write cache null; else a bit for each write since the last flush (and
       * over again after 32): those of a 0 are lost, as if they had never been.
       */
      readonly cache: number | null;
    }
  /** The operation never settles. */
  | { readonly kind: 'stall'; readonly operation: number }
  /** Every operation takes this many milliseconds. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** A bit is other than written, seen when read. */
  | { readonly kind: 'flipped'; readonly position: number }
  /** Positions wrap at this size: a card that claims more memory than it has. */
  | { readonly kind: 'counterfeit'; readonly bytes: number }
  /** Writes are accepted and lost from this operation on. */
  | { readonly kind: 'forgetful'; readonly operation: number }
  /** Closing it never ends once it was written. */
  | { readonly kind: 'never-closes' };

export type Stroke = 'done' | 'stalled';

interface CachedWrite {
  readonly place: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** The bytes of a disk and its one fault, without time: the world in which engine and model run. */
export class FaultyBytes {
  readonly bytes: Uint8Array;
  readonly #fault: DiskFault;
  /** Writes that a volatile cache may still lose. */
  #cached: CachedWrite[] = [];
  #operations = 0;
  presence: Presence = 'present';
  /** The fault has shown. */
  hasStruck = false;

  /** @param bytes what the disk holds before; kept and changed */
  constructor(bytes: Uint8Array, fault: DiskFault) {
    this.bytes = bytes;
    this.#fault = fault;
  }

  /** Counts one operation; call before {@link write} or {@link read}. Throws an error with a `code`. */
  begin(): { stroke: Stroke; lost: boolean } {
    const index = this.#operations;
    this.#operations += 1;
    const fault = this.#fault;
    if (this.presence !== 'present') throw coded('ENODEV');
    if (!('operation' in fault) || index < fault.operation) return { stroke: 'done', lost: false };
    // A lost write shows when it is read back and not before.
    this.hasStruck = fault.kind !== 'forgetful';
    switch (fault.kind) {
      case 'error':
        if (index === fault.operation) throw coded(fault.code);
        return { stroke: 'done', lost: false };
      case 'pulled':
        this.presence = fault.presence;
        this.#lose(fault.cache);
        throw coded('EIO');
      case 'stall':
        return { stroke: index === fault.operation ? 'stalled' : 'done', lost: false };
      case 'forgetful':
        return { stroke: 'done', lost: true };
    }
  }

  write(bytes: Uint8Array, position: number): void {
    // What was under way when the medium left did not reach it.
    if (this.presence !== 'present') throw coded('ENODEV');
    const place = this.#place(position, bytes.length);
    const isCached = this.#fault.kind === 'pulled' && this.#fault.cache !== null;
    if (isCached) {
      const before = this.bytes.slice(place, place + bytes.length);
      this.#cached.push({ place, before, after: bytes.slice() });
    }
    this.bytes.set(bytes, place);
  }

  read(target: Uint8Array, position: number): void {
    const place = this.#place(position, target.length);
    target.set(this.bytes.subarray(place, place + target.length));
    if (this.#fault.kind === 'forgetful') this.hasStruck = this.#operations > this.#fault.operation;
    if (this.#fault.kind !== 'flipped') return;
    const at = this.#fault.position - position;
    if (at < 0 || at >= target.length) return;
    this.hasStruck = true;
    target[at] = (target[at] ?? 0) ^ 0x10;
  }

  /** How many writes a flush that begins now makes last, to be passed to {@link flushed}. */
  get unflushed(): number {
    return this.#cached.length;
  }

  flushed(count: number): void {
    if (this.presence !== 'present') throw coded('ENODEV');
    this.#cached = this.#cached.slice(count);
  }

  #lose(kept: number | null): void {
    if (kept === null) return;
    for (const { place, before } of this.#cached.toReversed()) this.bytes.set(before, place);
    for (const [index, { place, after }] of this.#cached.entries()) {
      if (((kept >>> (index % 32)) & 1) === 1) this.bytes.set(after, place);
    }
  }

  #place(position: number, length: number): number {
    if (this.#fault.kind !== 'counterfeit') return position;
    const end = this.#fault.bytes - Math.min(length, this.#fault.bytes);
    return Math.min(position % this.#fault.bytes, end);
  }
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}
