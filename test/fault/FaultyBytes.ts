import type { Presence } from '../../src-writer/engine/Device.ts';

/** What goes wrong with a disk, and at which of its operations (counted from 0 over all kinds). */
export type DiskFault =
  | { readonly kind: 'none' }
  | { readonly kind: 'error'; readonly operation: number; readonly code: string }
  /** The reader is pulled (`gone`) or the card (`no-medium`): every operation fails from then on. */
  | { readonly kind: 'pulled'; readonly operation: number; readonly presence: Presence }
  /** The operation never settles. */
  | { readonly kind: 'stall'; readonly operation: number }
  /** Every operation takes this many milliseconds. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** A bit is other than written, seen when read. */
  | { readonly kind: 'flipped'; readonly position: number }
  /** Positions wrap at this size: a card that claims more memory than it has. */
  | { readonly kind: 'counterfeit'; readonly bytes: number }
  /** Writes are accepted and lost from this operation on. */
  | { readonly kind: 'forgetful'; readonly operation: number };

export type Stroke = 'done' | 'stalled';

/** What a disk holds before: anything but what will be written. */
export const OLD_BYTE = 0xa5;

/** The bytes of a disk and its one fault, without time: the world in which engine and model run. */
export class FaultyBytes {
  readonly bytes: Uint8Array;
  readonly #fault: DiskFault;
  #operations = 0;
  presence: Presence = 'present';
  /** The fault has shown. */
  hasStruck = false;

  constructor(size: number, fault: DiskFault) {
    this.bytes = new Uint8Array(size).fill(OLD_BYTE);
    this.#fault = fault;
  }

  /** Counts one operation; call before {@link write} or {@link read}. Throws an error with a `code`. */
  begin(): { stroke: Stroke; lost: boolean } {
    const index = this.#operations;
    this.#operations += 1;
    const fault = this.#fault;
    if (this.presence !== 'present') throw coded('ENODEV');
    if (!('operation' in fault) || index < fault.operation) return { stroke: 'done', lost: false };
    this.hasStruck = true;
    switch (fault.kind) {
      case 'error':
        if (index === fault.operation) throw coded(fault.code);
        return { stroke: 'done', lost: false };
      case 'pulled':
        this.presence = fault.presence;
        throw coded('EIO');
      case 'stall':
        return { stroke: index === fault.operation ? 'stalled' : 'done', lost: false };
      case 'forgetful':
        return { stroke: 'done', lost: true };
    }
  }

  write(bytes: Uint8Array, position: number): void {
    this.bytes.set(bytes, this.#place(position, bytes.length));
  }

  read(target: Uint8Array, position: number): void {
    const place = this.#place(position, target.length);
    target.set(this.bytes.subarray(place, place + target.length));
    if (this.#fault.kind !== 'flipped') return;
    const at = this.#fault.position - position;
    if (at < 0 || at >= target.length) return;
    this.hasStruck = true;
    target[at] = (target[at] ?? 0) ^ 0x10;
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
