import { z } from 'zod';

const bytes = z.number().int().min(0);
const operation = z.enum(['read', 'write']);

/** What can be wrong with a {@link FaultyDisk}; bytes are counted from the moment of injection. */
export const diskFaultSchema = z.discriminatedUnion('kind', [
  /** Every such request that touches the range fails with EIO. */
  z.strictObject({ kind: z.literal('io-error'), operation, offset: bytes, length: bytes }),
  /** A pulled card: after so many bytes of the operation everything fails with EIO for good. */
  z.strictObject({ kind: z.literal('dead'), operation, afterBytes: bytes }),
  /** Answers are held back so that this rate is not exceeded. */
  z.strictObject({ kind: z.literal('slow'), operation, bytesPerSecond: bytes.min(1) }),
  /** After so many bytes no such request is answered until the disk is healed. */
  z.strictObject({ kind: z.literal('stall'), operation, afterBytes: bytes }),
  /** The byte at the offset is read with these bits flipped. */
  z.strictObject({ kind: z.literal('flipped-bits'), offset: bytes, mask: bytes.min(1).max(255) }),
  /** The disk claims its size but holds only `capacity` bytes; what lies beyond wraps around. */
  z.strictObject({ kind: z.literal('counterfeit'), capacity: bytes.min(1) }),
  /** After so many written bytes every write fails with ENOSPC. */
  z.strictObject({ kind: z.literal('out-of-space'), afterBytes: bytes }),
]);
export type DiskFault = z.infer<typeof diskFaultSchema>;
export type DiskFaultKind = DiskFault['kind'];

export interface DiskRequest {
  readonly operation: 'read' | 'write' | 'flush';
  readonly offset: number;
  readonly length: number;
}

/** What becomes of one request. */
export interface DiskAnswer {
  /** The error to give, or null to do what was asked. */
  readonly error: 'EIO' | 'ENOSPC' | null;
  readonly stalled: boolean;
  /** Milliseconds by which the answer is held back. */
  readonly delay: number;
  /** The faults that had a part in it. */
  readonly struck: readonly DiskFaultKind[];
}

/** Decides what becomes of each request; knows no file, no device and no clock but the one it is told. */
export class DiskFaults {
  #faults: { readonly fault: DiskFault; seen: number; freeAt: number }[] = [];
  #dead = false;

  inject(fault: DiskFault): void {
    this.#faults.push({ fault, seen: 0, freeAt: 0 });
  }

  heal(): void {
    this.#faults = [];
    this.#dead = false;
  }

  /** @param now milliseconds on a clock that never goes back */
  judge(request: DiskRequest, now: number): DiskAnswer {
    const struck: DiskFaultKind[] = [];
    let error: DiskAnswer['error'] = null;
    let stalled = false;
    let delay = 0;
    for (const entry of this.#faults) {
      const { fault } = entry;
      const mine = !('operation' in fault) || fault.operation === request.operation;
      if (mine) entry.seen += request.length;
      const spent = 'afterBytes' in fault && request.length > 0 && entry.seen > fault.afterBytes;
      if (fault.kind === 'dead' && mine && spent) this.#dead = true;
      if (fault.kind === 'dead' && this.#dead) struck.push('dead');
      if (fault.kind === 'io-error' && mine && overlaps(request, fault.offset, fault.length)) {
        error = 'EIO';
        struck.push('io-error');
      }
      if (fault.kind === 'out-of-space' && request.operation === 'write' && spent) {
        error = 'ENOSPC';
        struck.push('out-of-space');
      }
      if (fault.kind === 'stall' && mine && spent) {
        stalled = true;
        struck.push('stall');
      }
      if (fault.kind === 'slow' && mine) {
        entry.freeAt = Math.max(entry.freeAt, now) + (request.length * 1000) / fault.bytesPerSecond;
        delay = Math.max(delay, entry.freeAt - now);
        struck.push('slow');
      }
    }
    return { error: this.#dead ? 'EIO' : error, stalled, delay, struck };
  }

  /** Where a byte offset really lies in the backing file. */
  place(offset: number): number {
    const capacity = this.#capacity();
    return capacity === null ? offset : offset % capacity;
  }

  /** How many bytes from `offset` on lie together in the backing file. */
  contiguous(offset: number, length: number): number {
    const capacity = this.#capacity();
    return capacity === null ? length : Math.min(length, capacity - (offset % capacity));
  }

  /** Flips the bits of what was read at `offset`; tells whether any were. */
  flip(data: Uint8Array, offset: number): boolean {
    let flipped = false;
    for (const { fault } of this.#faults) {
      if (fault.kind !== 'flipped-bits') continue;
      const byte = data[fault.offset - offset];
      if (byte === undefined) continue;
      data[fault.offset - offset] = byte ^ fault.mask;
      flipped = true;
    }
    return flipped;
  }

  #capacity(): number | null {
    for (const { fault } of this.#faults) if (fault.kind === 'counterfeit') return fault.capacity;
    return null;
  }
}

function overlaps(request: DiskRequest, offset: number, length: number): boolean {
  return (
    request.length > 0 &&
    request.offset < offset + length &&
    offset < request.offset + request.length
  );
}
