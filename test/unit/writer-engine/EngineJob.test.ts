import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { EngineOrder } from '../../../src-contract/WriterWire.ts';
import { fail } from '../../../src-core/Failure.ts';
import type { FlashEvent } from '../../../src-core/FlashEvent.ts';
import { planDecode } from '../../../src-image/DecodePlan.ts';
import type { Device, Presence } from '../../../src-writer/engine/Device.ts';
import { EngineJob } from '../../../src-writer/engine/EngineJob.ts';
import type { EngineImage } from '../../../src-writer/engine/EngineJob.ts';
import type { Digester, SlotRange } from '../../../src-writer/engine/ImageDigest.ts';
import { ImageDigest } from '../../../src-writer/engine/ImageDigest.ts';
import type { ImageReader } from '../../../src-writer/engine/ImageReader.ts';
import { SHARED_SLOTS } from '../../../src-writer/engine/JobContext.ts';
import { RawReader } from '../../../src-writer/engine/RawReader.ts';
import type { RawFile } from '../../../src-writer/engine/RawReader.ts';
import type { Ring } from '../../../src-writer/engine/Ring.ts';
import { ringLayout } from '../../../src-writer/engine/RingLayout.ts';
import { decodeMarker } from '../../../src-writer/engine/UnfinishedMarker.ts';
import { FakeClock } from '../../fault/FakeClock.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { memoryImage } from '../image/DecodedImage.ts';

const MIB = 1 << 20;
const CARD_BYTES = 8 * MIB;

/** Longer than any job takes in fake time, in milliseconds. */
const HUNG_AFTER = 300_000;

/** Two MiB of data, then zeros that nobody waits for, to the middle of a block. */
const image = new Uint8Array(5 * MIB + 700);
image.set(new SeededRandom(11).bytes(2 * MIB));
const SHA256 = createHash('sha256').update(image).digest('hex');

/** A card in memory that can be pulled, and can leave every request unanswered. */
class MemoryCard implements Device {
  readonly size = CARD_BYTES;
  readonly logicalBlockSize: number;
  readonly bytes = new Uint8Array(CARD_BYTES).fill(0xa5);
  readonly written: { readonly position: number; readonly length: number }[] = [];
  /** From this position on no write is answered. */
  hangsFrom = Infinity;
  present: Presence = 'present';
  reads = 0;
  isClosed = false;

  constructor(logicalBlockSize = 512) {
    this.logicalBlockSize = logicalBlockSize;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.isClosed) throw new Error('written after it was closed');
    // The zeros at its end are a part of its preparation.
    if (position >= this.hangsFrom && position < image.length) await never();
    this.written.push({ position, length: bytes.length });
    this.bytes.set(bytes, position);
    await setImmediate();
  }

  async read(bytes: Uint8Array, position: number): Promise<void> {
    await setImmediate();
    this.reads += 1;
    bytes.set(this.bytes.subarray(position, position + bytes.length));
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  presence(): Promise<Presence> {
    return Promise.resolve(this.present);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  /** Writes to the first MiB, the marker's included. */
  get headWrites(): number {
    return this.written.filter(({ position }) => position < MIB).length;
  }

  get isUnfinished(): boolean {
    return decodeMarker(this.bytes) !== null;
  }

  get isWhole(): boolean {
    return Buffer.compare(this.bytes.subarray(0, image.length), image) === 0;
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** A digest that answers for data at once, and for zeros and the hash when the test says. */
class LaggingDigester implements Digester {
  readonly #ring: Ring;
  readonly #digest = new ImageDigest(null);
  readonly #told: Promise<void>;

  /** @param told when zeros are hashed; rejects where the digest dies instead */
  constructor(ring: Ring, told: Promise<void>) {
    this.#ring = ring;
    this.#told = told;
  }

  async update(slot: number, length: number, ranges: readonly SlotRange[]): Promise<number[]> {
    if (slot === SHARED_SLOTS.zeros) await this.#told;
    return this.#digest.update(this.#ring.view(slot), length, ranges);
  }

  check(slot: number, length: number): Promise<number> {
    return Promise.resolve(crc32(this.#ring.view(slot, length)));
  }

  async finish(): Promise<string> {
    await this.#told;
    return this.#digest.finish();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface JobOrder {
  readonly cards?: readonly MemoryCard[];
  readonly action?: EngineOrder['action'];
  readonly verify?: boolean;
  readonly expectedSha256?: string | null;
  /** From this position on the image file gives nothing. */
  readonly silentFrom?: number;
  /** Closing what reads the image never ends. */
  readonly neverCloses?: boolean;
  /** Bytes that the image's own table promises. */
  readonly leastSize?: number;
  /** The image is another when it was hashed; or nobody says whether it is. */
  readonly changes?: boolean | 'silently';
}

/** A job over memory, on a clock that the test drives. */
class JobRun {
  readonly clock = new FakeClock();
  readonly events: FlashEvent[] = [];
  readonly cards: readonly MemoryCard[];
  readonly hashing = Promise.withResolvers<undefined>();
  readonly job: EngineJob;
  readonly ended: Promise<void>;
  /** Resolved when an image file that fell silent goes on. */
  readonly silence = Promise.withResolvers<undefined>();
  isImageClosed = false;
  readonly #order: JobOrder;
  #stopped = 0;

  constructor(order: JobOrder = {}) {
    this.#order = order;
    this.cards = order.cards ?? [new MemoryCard()];
    this.hashing.promise.catch(() => undefined);
    this.job = new EngineJob(orderOf(order, this.cards), {
      clock: {
        now: () => this.clock.now() + this.#stopped,
        wall: () => this.clock.wall() + this.#stopped,
        every: (ms, tick) => this.clock.every(ms, tick),
      },
      layout: (plan, cards) => ringLayout(plan, cards, 2),
      emit: (event) => this.events.push(event),
      openImage: () => Promise.resolve(this.#image()),
      openDevice: ({ cardId }) => Promise.resolve(this.#cardOf(cardId)),
    });
    this.ended = this.job.run();
  }

  /** Lets the job go on to its end, time included. @throws Error when it never ends */
  async end(): Promise<void> {
    await this.clock.drive(this.ended, HUNG_AFTER);
  }

  /** The process is stopped for so many milliseconds, and goes on. */
  async stop(ms: number): Promise<void> {
    this.#stopped += ms;
    await this.clock.drive(this.clock.after(1000), 2000);
  }

  /** Lets everything happen that waits neither for time nor for the hash. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 200; turn += 1) await setImmediate();
  }

  /** How each card ended, in a few words. */
  get ends(): readonly string[] {
    return this.events.flatMap((event) =>
      event.type === 'card'
        ? [`${event.cardId}: ${event.condition}, ${event.failure?.code ?? 'good'}`]
        : [],
    );
  }

  get lastPhase(): string | undefined {
    return this.events.findLast((event) => event.type === 'phase')?.phase;
  }

  has(type: FlashEvent['type']): boolean {
    return this.events.some((event) => event.type === type);
  }

  #cardOf(cardId: string): MemoryCard {
    const card = this.cards[Number(cardId.slice('card-'.length))];
    if (card === undefined) throw new Error(`no ${cardId}`);
    return card;
  }

  #image(): EngineImage {
    return {
      fileSize: image.length,
      plan: planDecode(memoryImage(image)),
      leastSize: this.#order.leastSize ?? 0,
      mapper: null,
      decode: (ring, { imageSlots }) => this.#reader(new RawReader(this.#file(), ring, imageSlots)),
      digest: (ring) => new LaggingDigester(ring, this.hashing.promise),
      checkUnchanged: () => {
        if (this.#order.changes === 'silently') return never();
        if (this.#order.changes !== true) return Promise.resolve();
        return Promise.reject(fail('image-changed', { path: 'card.img' }));
      },
      close: () => {
        this.isImageClosed = true;
      },
    };
  }

  #reader(reader: ImageReader): ImageReader {
    if (this.#order.neverCloses !== true) return reader;
    return {
      next: () => reader.next(),
      release: (slot) => {
        reader.release(slot);
      },
      close: never,
    };
  }

  #file(): RawFile {
    const { silentFrom = Infinity } = this.#order;
    const silence = this.silence.promise;
    return {
      path: 'card.img',
      size: image.length,
      async readInto(target, position) {
        if (position >= silentFrom) await silence;
        target.set(image.subarray(position, position + target.length));
        return target.length;
      },
    };
  }
}

function orderOf(order: JobOrder, cards: readonly MemoryCard[]): EngineOrder {
  const { action = 'flash', verify = true, expectedSha256 = null } = order;
  const file = { path: 'card.img', fileSize: image.length, modified: 1, fd: null };
  return {
    ...{ jobId: 'job', action, verify },
    image: { ...file, expectedSha256, blockMap: null, forceRaw: true, blockMapFd: null },
    targets: cards.map(({ size, logicalBlockSize }, index) => ({
      ...{ cardId: `card-${String(index)}`, name: `drive ${String(index)}` },
      device: { kind: 'raw-path', path: '/nowhere' },
      ...{ size, logicalBlockSize, discarded: false },
    })),
  };
}

/** A job whose cards have everything but their first MiB, while zeros are still being hashed. */
async function jobThatHashes(order: JobOrder = {}): Promise<JobRun> {
  const run = new JobRun(order);
  await run.settle();
  expect(run.has('hashed')).toBe(false);
  expect(run.has('end')).toBe(false);
  return run;
}

describe('while the image is still being hashed', () => {
  it.each([
    ['that is read back', true, 'verifying'],
    ['that is not', false, 'writing'],
  ])('a card %s is not given its first MiB', async (_, verify, phase) => {
    const run = await jobThatHashes({ verify });
    const [card] = run.cards;
    expect(run.lastPhase).toBe(phase);
    expect(card?.isUnfinished).toBe(true);
    expect(card?.headWrites).toBe(1);
    expect(run.ends).toEqual([]);
    run.hashing.resolve(undefined);
    await run.end();
    expect(run.ends).toEqual([`card-0: ${verify ? 'verified' : 'unverified'}, good`]);
    expect(card?.isWhole).toBe(true);
    expect(card?.isClosed).toBe(true);
  });

  it('a card that is compared is not called the same', async () => {
    const card = new MemoryCard();
    card.bytes.set(image);
    const run = await jobThatHashes({ action: 'verify', cards: [card] });
    expect(card.reads).toBe(6);
    expect(run.ends).toEqual([]);
    run.hashing.resolve(undefined);
    await run.end();
    expect(run.ends).toEqual(['card-0: verified, good']);
    expect(card.written).toEqual([]);
  });

  it('a cancelled job ends without the hash, and no card is finished when it comes', async () => {
    const run = await jobThatHashes({ cards: [new MemoryCard(), new MemoryCard()] });
    run.job.cancel(null);
    await run.end();
    expect(run.ends).toEqual(['card-0: unfinished, cancelled', 'card-1: unfinished, cancelled']);
    run.hashing.resolve(undefined);
    await run.settle();
    expect(run.has('hashed')).toBe(false);
    for (const card of run.cards) {
      expect(card.isUnfinished).toBe(true);
      expect(card.headWrites).toBe(1);
      expect(card.isClosed).toBe(true);
    }
  });

  it('a cancelled card stays unfinished, and the other becomes whole', async () => {
    const run = await jobThatHashes({ cards: [new MemoryCard(), new MemoryCard()] });
    run.job.cancel('card-0');
    run.hashing.resolve(undefined);
    await run.end();
    expect(run.ends).toEqual(['card-0: unfinished, cancelled', 'card-1: verified, good']);
    expect(run.cards.map(({ isUnfinished }) => isUnfinished)).toEqual([true, false]);
    expect(run.cards[1]?.isWhole).toBe(true);
  });

  it('a card that is pulled is lost, and the other becomes whole', async () => {
    const run = await jobThatHashes({ cards: [new MemoryCard(), new MemoryCard()] });
    const [pulled, other] = run.cards;
    if (pulled !== undefined) pulled.present = 'no-medium';
    void run.clock.after(1000).then(() => {
      run.hashing.resolve(undefined);
    });
    await run.end();
    expect(run.ends).toEqual(['card-0: unfinished, card-lost', 'card-1: verified, good']);
    expect(pulled?.headWrites).toBe(1);
    expect(other?.isWhole).toBe(true);
  });

  it('a digest that dies takes every card with it, unfinished', async () => {
    const run = await jobThatHashes({ cards: [new MemoryCard(), new MemoryCard()] });
    run.hashing.reject(new Error('digest thread: it ended'));
    await run.end();
    expect(run.ends).toEqual(['card-0: unfinished, internal', 'card-1: unfinished, internal']);
    expect(run.cards.every(({ isUnfinished }) => isUnfinished)).toBe(true);
  });
});

describe('an image that turns out wrong after the cards were read back', () => {
  it.each([
    ['image-hash-mismatch', { expectedSha256: '0'.repeat(64) }],
    ['image-changed', { changes: true }],
  ])('%s: no card is given its first MiB', async (code, wrong) => {
    const run = await jobThatHashes({ ...wrong, cards: [new MemoryCard(), new MemoryCard()] });
    run.hashing.resolve(undefined);
    await run.end();
    expect(run.ends).toEqual([`card-0: unfinished, ${code}`, `card-1: unfinished, ${code}`]);
    for (const card of run.cards) {
      expect(card.isUnfinished).toBe(true);
      expect(card.headWrites).toBe(1);
    }
    expect(run.isImageClosed).toBe(true);
  });

  it('a card that is the same as a wrong image is not called verified', async () => {
    const card = new MemoryCard();
    card.bytes.set(image);
    const expectedSha256 = '0'.repeat(64);
    const run = await jobThatHashes({ action: 'verify', cards: [card], expectedSha256 });
    run.hashing.resolve(undefined);
    await run.end();
    expect(run.ends).toEqual(['card-0: untouched, image-hash-mismatch']);
  });

  it('one that is shorter than its own partitions makes no card', async () => {
    const run = new JobRun({ leastSize: image.length + 1 });
    await run.end();
    expect(run.ends).toEqual(['card-0: unfinished, image-truncated']);
    expect(run.cards[0]?.headWrites).toBe(1);
    const whole = await jobThatHashes({ leastSize: image.length });
    whole.hashing.resolve(undefined);
    await whole.end();
    expect(whole.ends).toEqual(['card-0: verified, good']);
  });

  it('one that is right is told with its hash, before any card is finished', async () => {
    const run = await jobThatHashes({ expectedSha256: SHA256 });
    run.hashing.resolve(undefined);
    await run.end();
    const told = run.events.map((event) => (event.type === 'phase' ? event.phase : event.type));
    const order = ['verifying', 'hashed', 'finishing', 'card', 'end'];
    expect(told.filter((one) => order.includes(one))).toEqual(order);
    expect(run.events).toContainEqual({ type: 'hashed', sha256: SHA256, size: image.length });
  });
});

describe('blocks of a drive', () => {
  it('of more than 4096 bytes are refused, and no card is touched', async () => {
    const cards = [new MemoryCard(512), new MemoryCard(8192)];
    const run = new JobRun({ cards });
    await run.end();
    expect(run.ends).toEqual([
      'card-0: untouched, drive-open-failed',
      'card-1: untouched, drive-open-failed',
    ]);
    expect(cards.map(({ written, isClosed }) => [written.length, isClosed])).toEqual([
      [0, true],
      [0, true],
    ]);
    expect(run.isImageClosed).toBe(true);
    expect(run.events.at(-1)).toEqual({ type: 'end' });
  });

  it('of 4096 bytes are written whole, on every card of the job', async () => {
    const cards = [new MemoryCard(512), new MemoryCard(4096)];
    const run = new JobRun({ cards });
    run.hashing.resolve(undefined);
    await run.end();
    expect(run.ends).toEqual(['card-0: verified, good', 'card-1: verified, good']);
    for (const card of cards) {
      expect(card.isWhole).toBe(true);
      const odd = card.written.filter(
        (one) => one.length % 4096 !== 0 || one.position % 4096 !== 0,
      );
      expect(odd).toEqual([]);
    }
  });
});

describe('an image file that falls silent', () => {
  it('is noticed, and fails every card', async () => {
    const run = new JobRun({ silentFrom: 2 * MIB });
    await run.end();
    expect(run.ends).toEqual(['card-0: unfinished, image-unreadable']);
  });

  it('is noticed though another card is dead and never answers', async () => {
    const [dead, well] = [new MemoryCard(), new MemoryCard()];
    dead.hangsFrom = MIB;
    const run = new JobRun({ silentFrom: 2 * MIB, cards: [dead, well] });
    await run.end();
    expect(run.ends).toEqual([
      'card-0: unfinished, card-stalled',
      'card-1: unfinished, image-unreadable',
    ]);
  });

  it('is told though what reads it cannot be ended', async () => {
    const run = new JobRun({ silentFrom: 2 * MIB, neverCloses: true });
    await run.end();
    expect(run.ends).toEqual(['card-0: unfinished, image-unreadable']);
    expect(run.events.at(-1)).toEqual({ type: 'end' });
  });

  it('is noticed when it does not say whether it changed', async () => {
    const run = await jobThatHashes({ changes: 'silently' });
    run.hashing.resolve(undefined);
    await run.end();
    expect(run.ends).toEqual(['card-0: unfinished, image-unreadable']);
  });

  it('keeps a cancelled job from its end no longer than a second', async () => {
    const run = new JobRun({ silentFrom: 2 * MIB, neverCloses: true });
    await run.settle();
    const began = run.clock.now();
    run.job.cancel(null);
    await run.end();
    expect(run.clock.now() - began).toBeLessThanOrEqual(1000);
    expect(run.ends).toEqual(['card-0: unfinished, cancelled']);
  });

  it('is not silent while the whole program is stopped', async () => {
    const run = new JobRun({ silentFrom: 2 * MIB });
    await run.settle();
    await run.stop(60_000);
    expect(run.ends).toEqual([]);
    run.silence.resolve(undefined);
    run.hashing.resolve(undefined);
    await run.end();
    expect(run.ends).toEqual(['card-0: verified, good']);
  });
});
