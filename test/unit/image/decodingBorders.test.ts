import { spawnSync } from 'node:child_process';
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FailureError } from '../../../src-core/Failure.ts';
import type { Failure } from '../../../src-core/Failure.ts';
import { decodeSegment } from '../../../src-image/decodeSegment.ts';
import { planDecode } from '../../../src-image/DecodePlan.ts';
import type { DecodePlan } from '../../../src-image/ImageSource.ts';
import { viewOf } from '../../../src-image/ImageWindow.ts';
import { SLOT_BYTES } from '../../../src-writer/engine/Ring.ts';
import { SlotFiller } from '../../../src-writer/engine/SlotFiller.ts';
import { decodeJobs } from '../../../src-writer/engine/ThreadedReader.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { memoryImage } from './DecodedImage.ts';
import { filtered, joined } from './ImageSamples.ts';

const KIB = 1024;
/** What the decoders read of a file at a time. */
const PIECE = 256 * KIB;

/** Another seed: `BOXWRIGHT_SEED=1234 npx vitest run test/unit/image/decodingBorders.test.ts`. */
const SEED = Number(process.env.BOXWRIGHT_SEED ?? 20_261);
const CASES = Number(process.env.BOXWRIGHT_CASES ?? 30);

/** What a slot holds before it is filled. */
const GARBAGE = 0xee;

/** Decodes as the engine's decode threads do, into slots that are full of garbage. */
async function decodeIntoSlots(bytes: Uint8Array, plan?: DecodePlan): Promise<Uint8Array> {
  const file = memoryImage(bytes);
  const decoded: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  const used = plan ?? planDecode(file);
  for (const { first, last } of decodeJobs(used)) {
    const segments = used.segments.slice(first, last + 1);
    const slots: Uint8Array[] = [];
    const filler = new SlotFiller(
      {
        take: () => Promise.resolve(slots.push(new Uint8Array(SLOT_BYTES).fill(GARBAGE)) - 1),
        view: (slot) => slots[slot] ?? new Uint8Array(),
        filled: ({ slot, offset, length }) => {
          const filled = (slots[slot] ?? new Uint8Array()).slice(0, length);
          decoded.push({ offset, bytes: filled });
        },
      },
      segments[0]?.outputOffset ?? 0,
    );
    for (const segment of segments) {
      const room = (): Promise<Uint8Array> => filler.room();
      await decodeSegment(file, used, segment, (...chunk) => filler.push(...chunk), room);
    }
    filler.finish(bytes.length);
  }
  let end = 0;
  for (const { offset, bytes: filled } of decoded) {
    if (offset !== end) throw new Error(`a gap before ${String(offset)}`);
    end += filled.length;
  }
  return joined(...decoded.map(({ bytes: filled }) => filled));
}

async function outcomeIntoSlots(
  bytes: Uint8Array,
  plan?: DecodePlan,
): Promise<Uint8Array | Failure> {
  try {
    return await decodeIntoSlots(bytes, plan);
  } catch (thrown) {
    if (thrown instanceof FailureError) return thrown.failure;
    throw thrown;
  }
}

/** What the format's own program makes of it; null where it has anything to object. */
function reference(program: string, bytes: Uint8Array): Uint8Array | null {
  const run = spawnSync(program, ['-dc'], { input: bytes, maxBuffer: 2 ** 30 });
  return run.status === 0 ? new Uint8Array(run.stdout) : null;
}

/** Our decoder and the format's own program must agree on every byte, and on what is no image. */
async function agree(program: string, bytes: Uint8Array, name: string): Promise<void> {
  const wanted = reference(program, bytes);
  const outcome = await outcomeIntoSlots(bytes);
  const said = outcome instanceof Uint8Array ? `${String(outcome.length)} bytes` : outcome.code;
  if (wanted === null) {
    expect(outcome, `${name}: decoded what ${program} refuses`).not.toBeInstanceOf(Uint8Array);
  } else if (wanted.length === 0) {
    expect(said, name).toBe('image-empty');
  } else {
    expect(said, name).toBe(`${String(wanted.length)} bytes`);
    const image = outcome instanceof Uint8Array ? outcome : new Uint8Array();
    expect(Buffer.compare(image, wanted), `${name}: other bytes`).toBe(0);
  }
}

function dataOf(length: number, random: SeededRandom): Uint8Array {
  const data = new Uint8Array(length);
  const kind = random.integer(3);
  if (kind === 0) return data;
  if (kind === 1) return random.bytes(length).slice(0, length);
  for (let at = 0; at < length; at += 5000) data[at] = random.integer(256);
  return data;
}

function oneOf<Choice>(choices: readonly [Choice, ...Choice[]], random: SeededRandom): Choice {
  return choices[random.integer(choices.length)] ?? choices[0];
}

/** A deflate stream of stored blocks (RFC 1951, 3.2.4) that is `length` bytes long. */
function storedDeflate(length: number, random: SeededRandom): [Uint8Array, Uint8Array] {
  const stream = new Uint8Array(length);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < length;) {
    const rest = length - at;
    // Five bytes head every block, and none may be left over that is too short for a head.
    const size = rest <= 60_000 ? rest : Math.min(60_000, rest - 5);
    const data = dataOf(size - 5, random);
    stream[at] = size === rest ? 1 : 0;
    viewOf(stream).setUint16(at + 1, data.length, true);
    viewOf(stream).setUint16(at + 3, data.length ^ 0xffff, true);
    stream.set(data, at + 5);
    parts.push(data);
    at += size;
  }
  return [stream, joined(...parts)];
}

function gzipMember(
  deflated: Uint8Array,
  data: Uint8Array,
  header: Uint8Array = plainHeader,
): Uint8Array {
  const trailer = new Uint8Array(8);
  viewOf(trailer).setUint32(0, crc32(data), true);
  viewOf(trailer).setUint32(4, data.length, true);
  return joined(header, deflated, trailer);
}

const plainHeader = Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);

/** A header with any of the fields of RFC 1952, 2.3. */
function anyHeader(random: SeededRandom): Uint8Array {
  const flags = random.integer(32) & 0x1e;
  const fields: Uint8Array[] = [plainHeader.map((byte, at) => (at === 3 ? flags : byte))];
  const extra = random.integer(4) === 0 ? 65_535 : random.integer(100);
  if ((flags & 4) !== 0) {
    fields.push(Uint8Array.from([extra & 0xff, extra >> 8]), random.bytes(extra));
  }
  const text = (length: number): Uint8Array => new Uint8Array(length + 1).fill(0x61, 0, length);
  if ((flags & 8) !== 0) fields.push(text(random.integer(300)));
  if ((flags & 16) !== 0) fields.push(text(random.integer(4) === 0 ? 30_000 : 5));
  const header = joined(...fields);
  if ((flags & 2) === 0) return header;
  const sum = crc32(header) & 0xffff;
  return joined(header, Uint8Array.from([sum & 0xff, sum >> 8]));
}

function anyGzipMember(random: SeededRandom): Uint8Array {
  const header = anyHeader(random);
  const near = random.integer(21) - 10;
  switch (random.integer(4)) {
    case 0:
      return gzipMember(deflateRawSync(new Uint8Array()), new Uint8Array(), header);
    case 1:
      return gzipMember(...storedDeflate(PIECE * (1 + random.integer(2)) + near, random), header);
    case 2: {
      const data = dataOf(SLOT_BYTES + oneOf([0, near], random), random);
      return gzipMember(deflateRawSync(data, { level: random.integer(10) }), data, header);
    }
    default: {
      const data = dataOf(random.integer(300_000), random);
      return gzipMember(deflateRawSync(data, { level: random.integer(10) }), data, header);
    }
  }
}

/** A frame of raw blocks (RFC 8878, 3.1.1) that is `length` bytes long; `isSized` tells its content. */
function rawFrame(length: number, isSized: boolean, random: SeededRandom): Uint8Array {
  const frame = new Uint8Array(length);
  const view = viewOf(frame);
  view.setUint32(0, 0xfd2fb528, true);
  // With a content size of four bytes in place of the window, or with a window of 1 MiB.
  frame.set(isSized ? [0xa0] : [0, 10 << 3], 4);
  let at = isSized ? 9 : 6;
  let content = 0;
  while (at < length) {
    const rest = length - at - 3;
    const size = rest <= 100_000 ? rest : Math.min(100_000, rest - 3);
    frame.set([((size << 3) | (size === rest ? 1 : 0)) & 0xff, (size >> 5) & 0xff, size >> 13], at);
    frame.set(dataOf(size, random), at + 3);
    content += size;
    at += 3 + size;
  }
  if (isSized) view.setUint32(5, content, true);
  return frame;
}

function skippable(length: number, random: SeededRandom): Uint8Array {
  const frame = new Uint8Array(8 + length);
  viewOf(frame).setUint32(0, 0x184d2a50 + random.integer(16), true);
  viewOf(frame).setUint32(4, length, true);
  frame.set(random.bytes(length).subarray(0, length), 8);
  return frame;
}

function anyZstdFrame(random: SeededRandom): Uint8Array {
  const near = random.integer(21) - 10;
  const flags = [oneOf(['--check', '--no-check'], random), `-${String(1 + random.integer(9))}`];
  switch (random.integer(5)) {
    case 0:
      return skippable(oneOf([0, 1, 500, PIECE - 8 + near, 70_000], random), random);
    case 1:
      return filtered('zstd', ['-q', ...flags, '-c'], new Uint8Array());
    case 2:
      return rawFrame(PIECE * (1 + random.integer(2)) + near, random.integer(2) === 0, random);
    case 3: {
      const data = dataOf(SLOT_BYTES + oneOf([0, near], random), random);
      const sized = random.integer(2) === 0 ? [`--stream-size=${String(data.length)}`] : [];
      return filtered('zstd', ['-q', ...flags, ...sized, '-c'], data);
    }
    default:
      return filtered('zstd', ['-q', ...flags, '-c'], dataOf(random.integer(300_000), random));
  }
}

/** What may stand behind the last member, and whether the file was cut. */
function ended(parts: readonly Uint8Array[], random: SeededRandom): [string, Uint8Array] {
  const whole = joined(...parts);
  switch (random.integer(5)) {
    case 0:
      return ['zeros', joined(whole, new Uint8Array(oneOf([1, 511, 512, 70_000], random)))];
    case 1:
      return [
        'garbage',
        joined(whole, random.bytes(oneOf([1, 3, 7, 600], random)).fill(0x55, 0, 1)),
      ];
    case 2: {
      const border = parts.slice(0, random.integer(parts.length + 1));
      const at = border.reduce((sum, { length }) => sum + length, 0) + random.integer(40) - 20;
      return [`cut at ${String(at)}`, whole.slice(0, Math.max(20, at))];
    }
    case 3: {
      const at = random.integer(whole.length);
      return [`cut at ${String(at)}`, whole.slice(0, Math.max(20, at))];
    }
    default:
      return ['whole', whole];
  }
}

describe(`members in any row, from seed ${String(SEED)}`, () => {
  it.each([
    ['gzip', anyGzipMember],
    ['zstd', anyZstdFrame],
  ] as const)('are to us what they are to %s', { timeout: 120_000 }, async (program, member) => {
    for (let seed = SEED; seed < SEED + CASES; seed += 1) {
      const random = new SeededRandom(seed);
      const parts = Array.from({ length: 1 + random.integer(5) }, () => member(random));
      const [end, bytes] = ended(parts, random);
      await agree(program, bytes, `seed ${String(seed)}, ${end}`);
    }
  });
});

describe('a member that ends', () => {
  const around = Array.from({ length: 25 }, (_, index) => index - 12);

  it.each([1, 2])('around piece %i of the file: gzip', { timeout: 60_000 }, async (pieces) => {
    const random = new SeededRandom(SEED);
    const [after, data] = storedDeflate(1000, random);
    for (const near of around) {
      const first = gzipMember(...storedDeflate(pieces * PIECE + near, random));
      await agree('gzip', first, `${String(near)} alone`);
      await agree('gzip', joined(first, gzipMember(after, data)), `${String(near)}, another`);
      await agree('gzip', joined(first, new Uint8Array(700)), `${String(near)}, zeros`);
      await agree('gzip', joined(first, random.bytes(9).fill(1)), `${String(near)}, garbage`);
    }
  });

  it.each([1, 2])('around piece %i of the file: zstd', { timeout: 60_000 }, async (pieces) => {
    const random = new SeededRandom(SEED);
    const after = rawFrame(1000, true, random);
    for (const near of around) {
      for (const isSized of [true, false]) {
        const name = `${String(near)}, ${isSized ? 'sized' : 'unsized'}`;
        const first = rawFrame(pieces * PIECE + near, isSized, random);
        await agree('zstd', first, `${name}, alone`);
        await agree('zstd', joined(first, after), `${name}, another`);
        await agree('zstd', joined(first, skippable(300, random), after), `${name}, skippable`);
        await agree('zstd', joined(first, random.bytes(9).fill(1)), `${name}, garbage`);
      }
    }
  });

  it.each(['gzip', 'zstd'] as const)(
    'around the end of a slot: %s',
    { timeout: 60_000 },
    async (program) => {
      const random = new SeededRandom(SEED);
      for (const length of [SLOT_BYTES, 2 * SLOT_BYTES].flatMap((end) => [end - 1, end, end + 1])) {
        for (const data of [new Uint8Array(length), random.bytes(length).slice(0, length)]) {
          const one = filtered(program, ['-q', '-c'], data);
          const empty = filtered(program, ['-q', '-c'], new Uint8Array());
          await agree(program, one, `${String(length)} alone`);
          await agree(
            program,
            joined(one, empty, one, empty),
            `${String(length)} among empty ones`,
          );
        }
      }
    },
  );
});

describe('a file that is cut', () => {
  it('is none, wherever the cut is: gzip', { timeout: 60_000 }, async () => {
    const random = new SeededRandom(SEED);
    const one = gzipMember(...storedDeflate(PIECE, random));
    const whole = joined(one, one);
    const borders = [one.length, PIECE, PIECE + 10, one.length + PIECE, whole.length - 1];
    for (const border of borders) {
      for (let at = border - 20; at < Math.min(border + 20, whole.length); at += 1) {
        if (at === one.length) continue;
        const outcome = await outcomeIntoSlots(whole.slice(0, at));
        expect(outcome, `cut at ${String(at)}`).toMatchObject({ code: 'image-truncated' });
      }
    }
  });

  it(
    'is none, though nobody walked over its blocks before: zstd',
    { timeout: 60_000 },
    async () => {
      const random = new SeededRandom(SEED);
      const one = rawFrame(PIECE, false, random);
      const whole = joined(one, one, rawFrame(SLOT_BYTES + 9, true, random));
      const borders = [PIECE, 2 * PIECE, 3 * PIECE, 2 * PIECE + SLOT_BYTES, whole.length - 1];
      for (const border of borders) {
        for (let at = border - 20; at < Math.min(border + 20, whole.length); at += 1) {
          const cut = whole.slice(0, at);
          const segment = { index: 0, outputOffset: 0, outputSize: null, inputOffset: 0 };
          const plan: DecodePlan = {
            format: 'zstd',
            size: null,
            segments: [{ ...segment, inputSize: at }],
            details: { kind: 'plain' },
          };
          const outcome = await outcomeIntoSlots(cut, plan);
          if (at === PIECE || at === 2 * PIECE) {
            expect(outcome, `cut at ${String(at)}`).toBeInstanceOf(Uint8Array);
          } else {
            expect(outcome, `cut at ${String(at)}`).toMatchObject({ code: 'image-truncated' });
          }
        }
      }
    },
  );
});

describe(`blocks of xz of odd sizes, from seed ${String(SEED)}`, () => {
  const sizes = [
    ['of the same odd size', [65_537]],
    ['of a slot and a byte', [SLOT_BYTES + 1]],
    ['of a slot', [SLOT_BYTES]],
    ['of three slots and a half', [3.5 * SLOT_BYTES]],
    ['of sizes in turn', [4097, 65_536, 4097, 1, 65_536, 3, 70_001]],
  ] as const;

  it.each(sizes)('%s, most of them empty', { timeout: 60_000 }, async (_, [...list]) => {
    for (let seed = SEED; seed < SEED + 4; seed += 1) {
      const random = new SeededRandom(seed);
      const image = new Uint8Array(8 * SLOT_BYTES + random.integer(9000));
      for (let count = 0; count < 6; count += 1) {
        const at = random.integer(image.length - 5000);
        image.set(random.bytes(1 + random.integer(4000)), at);
      }
      const blocks = Array.from({ length: 24 }, (__, index) => list[index % list.length]);
      const row = [...blocks, list.length > 1 ? 0 : list[0]].join(',');
      const args = ['-0', '-T1', `--check=${oneOf(['crc64', 'none'], random)}`, '-c'];
      const bytes = filtered('xz', [`--block-list=${row}`, ...args], image);
      expect(planDecode(memoryImage(bytes)).segments.length).toBeGreaterThan(1);
      await agree('xz', bytes, `seed ${String(seed)}`);
      const twice = joined(bytes, new Uint8Array(4 * random.integer(3)), bytes);
      await agree('xz', twice, `seed ${String(seed)}, two streams`);
      const damaged = bytes.slice();
      const at = random.integer(damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.integer(8));
      await agree('xz', damaged, `seed ${String(seed)}, damaged at ${String(at)}`);
    }
  });
});

describe('equal blocks of xz', () => {
  const args = ['-0', '-T1', '-c'];

  it('are not empty because they end empty', async () => {
    const size = 2.5 * SLOT_BYTES;
    const block = new Uint8Array(size);
    block.set(new SeededRandom(SEED).bytes(1000));
    const image = joined(block, block, new Uint8Array(size), block);
    const bytes = filtered('xz', [`--block-size=${String(size)}`, ...args], image);
    expect(planDecode(memoryImage(bytes)).segments.length).toBe(4);
    expect(Buffer.compare(await decodeIntoSlots(bytes), image)).toBe(0);
  });

  it.each([
    ['more bytes', 1],
    ['more bytes of the file', 0],
  ])('of which the index claims %s for one are not taken for equal', async (_, field) => {
    const block = 40_000;
    const image = new Uint8Array(2 * block);
    const bytes = filtered('xz', [`--block-size=${String(block)}`, ...args], image);
    // The .xz File Format 1.2.1, section 4: 0, the number of records, two numbers each, a CRC-32.
    const index = bytes.length - 12 - (viewOf(bytes).getUint32(bytes.length - 8, true) + 1) * 4;
    const [unpadded = 0] = bytes.subarray(index + 2, index + 3);
    // One more byte must not make it longer by four, and each number must stay one byte long.
    expect([bytes[index + 1], unpadded < 127 && unpadded % 4 !== 0]).toEqual([2, true]);
    const at = index + 2 + 4 + field;
    bytes[at] = (bytes[at] ?? 0) + 1;
    const crc = bytes.length - 16;
    viewOf(bytes).setUint32(crc, crc32(bytes.subarray(index, crc)), true);
    await agree('xz', bytes, 'a false index');
  });
});
