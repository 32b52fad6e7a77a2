import { crc32 } from 'node:zlib';
import { imageFailures } from '../ImageFailures.ts';
import { viewOf } from '../ImageWindow.ts';
import type { DecodedChunkSink, ImageFile, Segment } from '../ImageSource.ts';
import { BlankBlock, isBlankChunk } from './BlankBlock.ts';
import { XzDecoder, type XzInput, type XzOutcome } from './XzDecoder.ts';

const failures = imageFailures('xz');
const idle: XzDecoder[] = [];
/** The last block of zeros that was decoded and found good. */
let lastBlank: BlankBlock | null = null;

/**
 * Decodes a whole .xz file from its beginning to its end: every stream, with its checks, its index
 * and its footer.
 * @throws FailureError image-truncated, image-trailing-garbage, image-corrupt, image-unsupported
 */
export async function decodeXzFile(
  file: ImageFile,
  segment: Segment,
  sink: DecodedChunkSink,
): Promise<void> {
  const input = bytesOf(file, 0, file.size);
  settle(file, segment, await decodeWith(input, segment, sink));
}

/**
 * Decodes one block of an .xz file as if it were a stream of its own: the header of its stream, the
 * block, then an index of one record and a footer made here. So liblzma itself verifies the block's
 * check and that both of its sizes are what the index of the file promised.
 * @throws FailureError image-truncated, image-corrupt, image-unsupported
 */
export async function decodeXzBlock(
  file: ImageFile,
  segment: Segment,
  streamHeader: string,
  sink: DecodedChunkSink,
): Promise<void> {
  const block = BlankBlock.read(file, segment, streamHeader);
  if (block !== null && lastBlank?.equals(block) === true) return block.handOn(sink);
  const header = new Uint8Array(Buffer.from(streamHeader, 'hex'));
  const paddedSize = Math.ceil(segment.inputSize / 4) * 4;
  const tail = streamTail(header, segment.inputSize, segment.outputSize ?? 0);
  const input = inSequence([
    bytesOfArray(header),
    bytesOf(file, segment.inputOffset, paddedSize),
    bytesOfArray(tail),
  ]);
  let isBlank = block !== null;
  const counted: DecodedChunkSink = (chunk, consumed) => {
    isBlank &&= isBlankChunk(chunk);
    return sink(chunk, Math.min(Math.max(0, consumed - header.length), segment.inputSize));
  };
  settle(file, segment, await decodeWith(input, segment, counted));
  if (isBlank) lastBlank = block;
}

async function decodeWith(
  input: XzInput,
  segment: Segment,
  sink: DecodedChunkSink,
): Promise<XzOutcome> {
  const decoder = idle.pop() ?? (await XzDecoder.create());
  const most = segment.outputSize ?? Infinity;
  let produced = 0;
  try {
    return await decoder.decode(input, (chunk, consumed) => {
      const wanted = chunk.subarray(0, Math.max(0, Math.min(chunk.length, most - produced)));
      produced += chunk.length;
      return wanted.length > 0 ? sink(wanted, consumed) : undefined;
    });
  } finally {
    idle.push(decoder);
  }
}

function settle(file: ImageFile, segment: Segment, outcome: XzOutcome): void {
  switch (outcome.result) {
    case 'complete':
      if (segment.outputSize === null || segment.outputSize === outcome.produced) return;
      throw failures.corrupt(file, 'not the size of the index');
    case 'truncated':
      throw failures.truncated(file);
    case 'foreign':
      throw failures.trailingGarbage(file, outcome.consumed);
    case 'unsupported':
      throw failures.unsupported(file, 'filter, check or memory');
    case 'corrupt':
      throw failures.corrupt(file, `at ${String(segment.inputOffset + outcome.consumed)}`);
  }
}

/** Index and stream footer (The .xz File Format 1.2.1, sections 4 and 2.1.2) for a single block. */
function streamTail(header: Uint8Array, unpaddedSize: number, outputSize: number): Uint8Array {
  const fields = [0, 1, ...variableLength(unpaddedSize), ...variableLength(outputSize)];
  while (fields.length % 4 !== 0) fields.push(0);
  const tail = new Uint8Array(fields.length + 4 + 12);
  const view = viewOf(tail);
  tail.set(fields);
  view.setUint32(fields.length, crc32(tail.subarray(0, fields.length)), true);
  const footer = fields.length + 4;
  view.setUint32(footer + 4, footer / 4 - 1, true);
  tail.set(header.subarray(6, 8), footer + 8);
  view.setUint32(footer, crc32(tail.subarray(footer + 4, footer + 10)), true);
  tail.set([0x59, 0x5a], footer + 10);
  return tail;
}

/** Section 1.2: seven bits a byte, the lowest first, the top bit set on all but the last. */
function variableLength(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

function bytesOf(file: ImageFile, offset: number, size: number): XzInput {
  let position = offset;
  return (target) => {
    const got = file.read(target.subarray(0, offset + size - position), position);
    position += got;
    return got;
  };
}

function bytesOfArray(bytes: Uint8Array): XzInput {
  let position = 0;
  return (target) => {
    const piece = bytes.subarray(position, position + target.length);
    target.set(piece);
    position += piece.length;
    return piece.length;
  };
}

function inSequence(inputs: readonly XzInput[]): XzInput {
  let current = 0;
  return (target) => {
    for (; current < inputs.length; current++) {
      const got = inputs[current]?.(target) ?? 0;
      if (got > 0) return got;
    }
    return 0;
  };
}
