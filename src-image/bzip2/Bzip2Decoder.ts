import { imageFailures } from '../ImageFailures.ts';
import type { DecodedChunkSink, ImageFile } from '../ImageSource.ts';
import { Bzip2Bits } from './Bzip2Bits.ts';
import { Bzip2Block } from './Bzip2Block.ts';

const { corrupt, trailingGarbage, truncated } = imageFailures('bzip2');

const chunkBytes = 1024 * 1024;
/** Header and end of a stream without any block. */
const smallestStream = 14;
const blockMagic = [0x314159, 0x265359] as const;
const endMagic = [0x177245, 0x385090] as const;

/**
 * Checks the header of the first stream.
 * @throws FailureError image-truncated
 */
export function checkBzip2Header(file: ImageFile): void {
  if (file.size < smallestStream) throw truncated(file);
}

/**
 * Decodes all streams of a bzip2 file, with the CRC of every block and stream checked. The format as
 * in bzip2 1.0.8, decompress.c; randomised blocks, which only version 0.9.0 and older wrote, are
 * refused.
 * @throws FailureError image-truncated, image-trailing-garbage, image-corrupt, image-unsupported
 */
export async function decodeBzip2(file: ImageFile, sink: DecodedChunkSink): Promise<void> {
  const bits = new Bzip2Bits(file);
  const chunk = new Uint8Array(chunkBytes);
  let filled = 0;
  const block = new Bzip2Block(bits);
  do {
    const level = readStreamHeader(bits);
    let streamCrc = 0;
    while (nextIsBlock(bits)) {
      const crc = block.load(level);
      streamCrc = (((streamCrc << 1) | (streamCrc >>> 31)) ^ crc) >>> 0;
      for (;;) {
        filled = block.emit(chunk, filled);
        if (filled < chunk.length) break;
        await sink(chunk, bits.position);
        filled = 0;
      }
    }
    if (bits.read32() !== streamCrc) throw corrupt(bits.file, 'CRC of the stream');
    bits.align();
  } while (bits.position < file.size);
  if (filled > 0) await sink(chunk.subarray(0, filled), bits.position);
}

/** Returns the level, 1 to 9. */
function readStreamHeader(bits: Bzip2Bits): number {
  const offset = bits.position;
  const { size } = bits.file;
  const magic = [0x42, 0x5a, 0x68];
  const isStream = magic.every((byte) => bits.position === size || bits.read(8) === byte);
  if (!isStream) throw trailingGarbage(bits.file, offset);
  const level = bits.read(8) - 0x30;
  if (level < 1 || level > 9) {
    throw trailingGarbage(bits.file, offset);
  }
  return level;
}

/** @throws FailureError image-corrupt when neither a block nor the end of the stream follows */
function nextIsBlock(bits: Bzip2Bits): boolean {
  const high = bits.read(24);
  const low = bits.read(24);
  if (high === blockMagic[0] && low === blockMagic[1]) return true;
  if (high === endMagic[0] && low === endMagic[1]) return false;
  throw corrupt(bits.file, `no block before ${String(bits.position)}`);
}
