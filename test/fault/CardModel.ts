import { crc32 } from 'node:zlib';
import type { Failure } from '../../src-core/Failure.ts';
import { fail, failure, FailureError } from '../../src-core/Failure.ts';
import type { CardCondition, CardPhase } from '../../src-core/FlashEvent.ts';
import { FaultyBytes } from './FaultyBytes.ts';
import type { CardScenario, Scenario } from './Scenario.ts';

const MIB = 1 << 20;

/** How a card must end, and what it must hold then. */
export interface Expectation {
  readonly phases: readonly CardPhase[];
  readonly condition: CardCondition;
  readonly failure: Failure | null;
}

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * The same promise kept in the plainest way: one card, one operation after the other, no threads, no
 * ring, no time. What the engine does to a card must come out as this says, whatever happens to the
 * other cards.
 */
export class CardModel {
  readonly #scenario: Scenario;
  readonly #card: CardScenario;
  readonly #disk: FaultyBytes;
  readonly #image: Uint8Array;
  readonly #marker: Uint8Array;
  readonly #imageFailure: Failure | null;
  readonly #phases: CardPhase[] = [];
  #condition: CardCondition = 'untouched';
  #written = false;
  #verdict: Failure | null = null;

  /** @param image decompressed, padded with zeros to whole blocks @param marker the first MiB meanwhile */
  constructor(
    scenario: Scenario,
    card: CardScenario,
    image: Uint8Array,
    marker: Uint8Array,
    imageFailure: Failure | null,
  ) {
    this.#scenario = scenario;
    this.#card = card;
    this.#disk = new FaultyBytes(card.size, card.fault);
    this.#image = image;
    this.#marker = marker;
    this.#imageFailure = imageFailure;
  }

  expect(): Expectation {
    let problem: Failure | null = null;
    try {
      this.#flash();
    } catch (thrown) {
      if (!(thrown instanceof FailureError)) throw thrown;
      problem = this.#verdict ?? thrown.failure;
    }
    return { phases: this.#phases, condition: this.#condition, failure: problem };
  }

  #flash(): void {
    this.#phases.push('preparing');
    this.#poison();
    this.#phases.push('writing');
    const pieces = this.#pieces();
    for (const piece of pieces) this.#write(piece);
    if (this.#imageFailure !== null) throw new FailureError(this.#imageFailure);
    this.#flush();
    const checked = [...pieces, ...this.#emptyTail()];
    if (this.#scenario.verify) this.#verify(checked);
    this.#phases.push('finishing');
    const head = this.#image.subarray(0, MIB);
    this.#write({ offset: 4096, bytes: head.subarray(4096) });
    this.#flush();
    this.#condition = 'unverified';
    this.#write({ offset: 0, bytes: head.subarray(0, 4096) });
    this.#flush();
    if (!this.#scenario.verify) return;
    if (!same(this.#read(0, MIB), head)) this.#condemn(0, MIB, this.#bytesOf(checked) + MIB);
    this.#condition = 'verified';
  }

  #verify(pieces: readonly Piece[]): void {
    this.#phases.push('verifying');
    const wrong: { offset: number; length: number; holds: number | null }[] = [];
    for (const { offset, bytes } of pieces) {
      const seen = this.#read(offset, bytes.length);
      if (same(seen, bytes)) continue;
      wrong.push({ offset, length: bytes.length, holds: this.#elsewhere(offset, seen) });
    }
    const [first] = wrong;
    const total = this.#bytesOf(pieces);
    if (first !== undefined) {
      const telling = wrong.find(({ holds }) => holds !== null) ?? first;
      const differing = wrong.reduce((sum, { length }) => sum + length, 0);
      this.#condemn(telling.offset, differing, total, telling.holds);
    }
    const seen = this.#read(0, MIB);
    if (!same(seen, this.#marker)) this.#condemn(0, MIB, total + MIB, this.#elsewhere(0, seen));
  }

  #condemn(offset: number, differing: number, checked: number, holds: number | null = null): never {
    const drive = this.#card.cardId;
    this.#verdict =
      holds === null
        ? failure('read-back-differs', {
            ...{ drive, offset, differingBytes: differing, checkedBytes: checked },
          })
        : failure('card-counterfeit', { drive, offset, holdsOffset: holds });
    this.#poison();
    throw new FailureError(this.#verdict);
  }

  #poison(): void {
    this.#condition = 'unfinished';
    try {
      this.#write({ offset: 0, bytes: this.#marker });
    } catch (thrown) {
      const isProtected =
        thrown instanceof FailureError && thrown.failure.code === 'write-protected';
      if (isProtected && !this.#written) this.#condition = 'untouched';
      throw thrown;
    }
    const tail = this.#tail();
    this.#write({ offset: tail, bytes: new Uint8Array(this.#card.size - tail) });
    this.#flush();
  }

  #tail(): number {
    return Math.max(MIB, this.#card.size - MIB);
  }

  #pieces(): Piece[] {
    const pieces: Piece[] = [];
    for (let offset = MIB; offset < this.#image.length; offset += MIB) {
      pieces.push({ offset, bytes: this.#image.subarray(offset, offset + MIB) });
    }
    return pieces;
  }

  #emptyTail(): Piece[] {
    const offset = Math.max(this.#image.length, this.#tail());
    const length = this.#card.size - offset;
    return length > 0 ? [{ offset, bytes: new Uint8Array(length) }] : [];
  }

  #elsewhere(offset: number, seen: Uint8Array): number | null {
    const crc = crc32(seen);
    const same = this.#pieces().filter(
      ({ bytes }) => bytes.length === seen.length && crc32(bytes) === crc,
    );
    const [only] = same;
    return only !== undefined && same.length === 1 && only.offset !== offset ? only.offset : null;
  }

  #bytesOf(pieces: readonly Piece[]): number {
    return pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  #write({ offset, bytes }: Piece): void {
    const { lost } = this.#begin('write', offset);
    if (!lost) this.#disk.write(bytes, offset);
    this.#written = true;
  }

  #read(offset: number, length: number): Uint8Array {
    this.#begin('read', offset);
    const bytes = new Uint8Array(length);
    this.#disk.read(bytes, offset);
    return bytes;
  }

  #flush(): void {
    this.#begin('flush', 0);
  }

  #begin(operation: 'read' | 'write' | 'flush', offset: number): { lost: boolean } {
    const drive = this.#card.cardId;
    try {
      const { stroke, lost } = this.#disk.begin();
      if (stroke === 'stalled') throw fail('card-stalled', { drive, seconds: 30 });
      return { lost };
    } catch (thrown) {
      if (thrown instanceof FailureError || !(thrown instanceof Error)) throw thrown;
      const cause = 'code' in thrown ? String(thrown.code) : '';
      if (cause === 'ENOSPC') throw fail('disk-full', { path: drive });
      if (this.#disk.presence === 'gone') throw fail('reader-lost', { drive });
      if (this.#disk.presence === 'no-medium') throw fail('card-lost', { drive });
      if (cause === 'EPERM' && operation === 'write') throw fail('write-protected', { drive });
      throw fail(operation === 'read' ? 'read-failed' : 'write-failed', { drive, offset, cause });
    }
  }
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
