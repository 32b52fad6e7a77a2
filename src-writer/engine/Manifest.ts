/** One contiguous range that was written: bytes, and their CRC-32 once the digest has told it. */
export interface WrittenPiece {
  readonly offset: number;
  readonly length: number;
  crc: number | null;
}

/** Everything that was written, in order: what the read-back has to find again on every card. */
export class Manifest {
  readonly pieces: WrittenPiece[] = [];

  add(offset: number, length: number): WrittenPiece {
    const piece: WrittenPiece = { offset, length, crc: null };
    this.pieces.push(piece);
    return piece;
  }

  get bytes(): number {
    return this.pieces.reduce((sum, { length }) => sum + length, 0);
  }

  /**
   * Where else the image has what was found at `offset`: the mark of a card that claims more memory
   * than it has and writes over its beginning. Null when nowhere, or in more than one place (zeros).
   */
  elsewhere(offset: number, length: number, crc: number): number | null {
    const same = this.pieces.filter((piece) => piece.crc === crc && piece.length === length);
    const [only] = same;
    return only !== undefined && same.length === 1 && only.offset !== offset ? only.offset : null;
  }
}
