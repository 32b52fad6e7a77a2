import { crc32 } from 'node:zlib';
import type { Failure } from '../../src-core/Failure.ts';
import { fail, failure, FailureError } from '../../src-core/Failure.ts';
import type { CardCondition, CardPhase } from '../../src-core/FlashEvent.ts';
import { FaultyBytes } from './FaultyBytes.ts';
import { usedRanges } from './ImageMap.ts';
import { paddedBytes } from './Scenario.ts';
import type { CardScenario, Scenario } from './Scenario.ts';

const MIB = 1 << 20;
const MARKER = 4096;

/** How a card must end, and what it must hold then. */
export interface Expectation {
  readonly phases: readonly CardPhase[];
  readonly condition: CardCondition;
  readonly failure: Failure | null;
  readonly oldDataRemains: boolean;
  readonly bytesWritten: number;
  readonly bytesVerified: number;
  /** It ends before the whole image was hashed, so that an image found bad may come first. */
  readonly endsUnapproved: boolean;
}

/** What a card is flashed with. */
export interface CardInput {
  /** Decompressed; not padded. */
  readonly image: Uint8Array;
  /** What the card holds before; not changed. */
  readonly before: Uint8Array;
  /** The first bytes meanwhile. */
  readonly marker: Uint8Array;
  /** What the image is found to be once all of it was seen; null for good. */
  readonly imageFailure: Failure | null;
}

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** How many of the bytes belong to the image. */
  readonly imageBytes: number;
}

/**
 * The same promise kept in the plainest way: one card, one operation after the other, no threads, no
 * ring, no time. What the engine does to a card must come out as this says, whatever happens to the
 * other cards.
 */
export class CardModel {
  readonly #scenario: Scenario;
  readonly #card: CardScenario;
  readonly #input: CardInput;
  readonly #disk: FaultyBytes;
  /** The image's beginning, as long as it is written last, and what stands there meanwhile. */
  readonly #head: Uint8Array;
  readonly #marker: Uint8Array;
  readonly #phases: CardPhase[] = [];
  #condition: CardCondition = 'untouched';
  #verdict: Failure | null = null;
  #oldDataRemains = false;
  #bytesWritten = 0;
  #bytesVerified = 0;
  #isApproved = false;

  constructor(scenario: Scenario, card: CardScenario, input: CardInput) {
    this.#scenario = scenario;
    this.#card = card;
    this.#input = input;
    this.#disk = new FaultyBytes(input.before.slice(), card.fault);
    const head = Math.min(MIB, card.size);
    this.#head = padded(input.image.subarray(0, head), head);
    this.#marker = padded(input.marker, head);
  }

  expect(): Expectation {
    let problem: Failure | null = null;
    try {
      if (this.#scenario.action === 'flash') this.#flash();
      else this.#compare();
    } catch (thrown) {
      if (!(thrown instanceof FailureError)) throw thrown;
      problem = this.#verdict ?? thrown.failure;
    }
    return {
      phases: this.#phases,
      condition: this.#condition,
      failure: problem,
      oldDataRemains: this.#oldDataRemains,
      bytesWritten: this.#bytesWritten,
      bytesVerified: this.#bytesVerified,
      endsUnapproved: !this.#isApproved,
    };
  }

  #compare(): void {
    this.#phases.push('verifying');
    const wrong: Piece[] = [];
    this.#feed(this.#pieces(0), (piece) => {
      const seen = this.#read(piece.offset, piece.bytes.length);
      this.#bytesVerified += seen.length;
      const isRight = same(seen.subarray(0, piece.imageBytes), this.#imageOf(piece));
      if (!isRight) wrong.push(piece);
    });
    this.#approve();
    const [first] = wrong;
    this.#condition = first === undefined ? 'verified' : 'different';
    if (first !== undefined) throw this.#differs(first.offset, bytesOf(wrong), this.#bytesVerified);
  }

  #flash(): void {
    this.#phases.push('preparing');
    this.#poison();
    this.#phases.push('writing');
    const pieces = this.#pieces(MIB);
    this.#feed(pieces, ({ offset, bytes }) => {
      this.#write(offset, bytes);
    });
    this.#flush();
    if (this.#scenario.verify) this.#verify(pieces);
    else this.#oldDataRemains = this.#gaps(pieces).length > 0 && !this.#card.discarded;
    this.#approve();
    this.#phases.push('finishing');
    this.#write(MARKER, this.#head.subarray(MARKER));
    this.#flush();
    this.#condition = 'unverified';
    this.#write(0, this.#head.subarray(0, MARKER));
    this.#flush();
    if (!this.#scenario.verify) return;
    const seen = this.#read(0, this.#head.length);
    this.#bytesVerified += seen.length;
    if (!same(seen, this.#head)) this.#condemn(this.#differs(0, seen.length, this.#bytesVerified));
    this.#condition = 'verified';
  }

  /** Everything that the card takes, until the image turns out too large. */
  #feed(pieces: readonly Piece[], take: (piece: Piece) => void): void {
    const { image } = this.#input;
    for (let slot = 0; slot < image.length; slot += MIB) {
      const imageBytes = paddedBytes(Math.min(slot + MIB, image.length), this.#scenario);
      const driveBytes = this.#card.size;
      if (imageBytes > driveBytes) throw fail('image-too-large', { imageBytes, driveBytes });
      for (const piece of pieces) {
        if (piece.offset >= slot && piece.offset < slot + MIB) take(piece);
      }
    }
  }

  /** The last moment at which an image is found bad. */
  #approve(): void {
    const { imageFailure } = this.#input;
    if (imageFailure !== null) throw new FailureError(imageFailure);
    this.#isApproved = true;
  }

  #verify(written: readonly Piece[]): void {
    this.#phases.push('verifying');
    const pieces = [...written, ...this.#emptyTail(written)];
    const wrong: (Piece & { holds: number | null })[] = [];
    for (const piece of pieces) {
      const seen = this.#read(piece.offset, piece.bytes.length);
      this.#bytesVerified += seen.length;
      if (same(seen, piece.bytes)) continue;
      wrong.push({ ...piece, holds: this.#elsewhere(written, piece.offset, seen) });
    }
    const [first] = wrong;
    if (first !== undefined) {
      const { offset, holds } = wrong.find(({ holds }) => holds !== null) ?? first;
      this.#condemn(
        holds === null
          ? this.#differs(offset, bytesOf(wrong), this.#bytesVerified)
          : this.#counterfeit(offset, holds),
      );
    }
    const seen = this.#read(0, this.#marker.length);
    if (!same(seen, this.#marker)) {
      const holds = this.#elsewhere(written, 0, seen);
      this.#condemn(
        holds === null
          ? this.#differs(0, seen.length, this.#bytesVerified + seen.length)
          : this.#counterfeit(0, holds),
      );
    }
    this.#oldDataRemains = this.#seesOldData(written);
  }

  #differs(offset: number, differingBytes: number, checkedBytes: number): FailureError {
    const drive = this.#card.cardId;
    return fail('read-back-differs', { drive, offset, differingBytes, checkedBytes });
  }

  #counterfeit(offset: number, holdsOffset: number): FailureError {
    return fail('card-counterfeit', { drive: this.#card.cardId, offset, holdsOffset });
  }

  #condemn(verdict: FailureError): never {
    this.#verdict = verdict.failure;
    this.#poison();
    throw verdict;
  }

  #poison(): void {
    if (this.#condition === 'untouched') this.#condition = 'unfinished';
    try {
      this.#write(0, this.#marker);
    } catch (thrown) {
      const isProtected =
        thrown instanceof FailureError && thrown.failure.code === 'write-protected';
      if (isProtected && this.#bytesWritten === 0) this.#condition = 'untouched';
      throw thrown;
    }
    const tail = this.#tail();
    if (tail < this.#card.size) this.#write(tail, new Uint8Array(this.#card.size - tail));
    this.#flush();
    this.#condition = 'unfinished';
  }

  #tail(): number {
    return Math.max(this.#head.length, this.#card.size - MIB);
  }

  /** What of the image behind `from` goes to the card, padded to whole blocks. */
  #pieces(from: number): Piece[] {
    const { image } = this.#input;
    const ranges = usedRanges(image.length, this.#scenario.map);
    return ranges.flatMap(({ offset, end }) => {
      if (offset < from) return [];
      const bytes = padded(image.subarray(offset, end), paddedBytes(end, this.#scenario) - offset);
      return [{ offset, bytes, imageBytes: end - offset }];
    });
  }

  #imageOf({ offset, imageBytes }: Piece): Uint8Array {
    return this.#input.image.subarray(offset, offset + imageBytes);
  }

  #emptyTail(written: readonly Piece[]): Piece[] {
    const last = written.at(-1);
    const imageEnd = last === undefined ? 0 : last.offset + last.bytes.length;
    const offset = Math.max(imageEnd, this.#tail());
    const length = this.#card.size - offset;
    return length > 0 ? [{ offset, bytes: new Uint8Array(length), imageBytes: 0 }] : [];
  }

  /** Where the ranges begin that the block map leaves out. */
  #gaps(written: readonly Piece[]): number[] {
    const ends = [this.#head.length, ...written.map(({ offset, bytes }) => offset + bytes.length)];
    const begins = [...written.map(({ offset }) => offset), this.#input.image.length];
    return ends.filter((end, index) => (begins[index] ?? end) >= end + 4096);
  }

  #seesOldData(written: readonly Piece[]): boolean {
    const gaps = this.#gaps(written);
    if (gaps.length === 0 || !this.#card.discarded) return gaps.length > 0;
    return gaps.some((offset) => this.#read(offset, 4096).some((byte) => byte !== 0));
  }

  #elsewhere(written: readonly Piece[], offset: number, seen: Uint8Array): number | null {
    const crc = crc32(seen);
    const found = written.filter(
      ({ bytes }) => bytes.length === seen.length && crc32(bytes) === crc,
    );
    const [only] = found;
    return only !== undefined && found.length === 1 && only.offset !== offset ? only.offset : null;
  }

  #write(offset: number, bytes: Uint8Array): void {
    const { lost } = this.#begin('write', offset);
    if (!lost) this.#disk.write(bytes, offset);
    this.#bytesWritten += bytes.length;
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
      throw new FailureError(this.#meaningOf(thrown, operation, offset));
    }
  }

  #meaningOf(thrown: Error, operation: 'read' | 'write' | 'flush', offset: number): Failure {
    const drive = this.#card.cardId;
    const cause = 'code' in thrown ? String(thrown.code) : '';
    if (this.#disk.presence === 'gone') return failure('reader-lost', { drive });
    if (this.#disk.presence === 'no-medium') return failure('card-lost', { drive });
    if (cause === 'ENOSPC') return failure('disk-full', { path: drive });
    if (cause === 'EPERM' && operation === 'write') return failure('write-protected', { drive });
    const code = operation === 'read' ? 'read-failed' : 'write-failed';
    return failure(code, { drive, offset, cause });
  }
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const longer = new Uint8Array(length);
  longer.set(bytes.subarray(0, length));
  return longer;
}

function bytesOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
