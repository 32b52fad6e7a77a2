import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Failure } from '../../../src-core/Failure.ts';
import { fail } from '../../../src-core/Failure.ts';
import type { Bmap } from '../../../src-image/blockmap/Bmap.ts';
import { BmapMapper } from '../../../src-image/blockmap/BmapMapper.ts';
import type { Card } from '../../../src-writer/engine/Card.ts';
import type { Device, Presence } from '../../../src-writer/engine/Device.ts';
import { DeviceChannel } from '../../../src-writer/engine/DeviceChannel.ts';
import { FlashedCard } from '../../../src-writer/engine/FlashedCard.ts';
import type { Digester, SlotRange } from '../../../src-writer/engine/ImageDigest.ts';
import { ImageDigest } from '../../../src-writer/engine/ImageDigest.ts';
import { ImageFeed } from '../../../src-writer/engine/ImageFeed.ts';
import type { FilledSlot, ImageReader } from '../../../src-writer/engine/ImageReader.ts';
import { FilledQueue } from '../../../src-writer/engine/ImageReader.ts';
import type { JobContext } from '../../../src-writer/engine/JobContext.ts';
import { SHARED_SLOTS } from '../../../src-writer/engine/JobContext.ts';
import { Manifest } from '../../../src-writer/engine/Manifest.ts';
import { Ring, SLOT_BYTES } from '../../../src-writer/engine/Ring.ts';
import { FakeClock } from '../../fault/FakeClock.ts';
import { bmapOf, MAP_BLOCK } from '../../fault/ImageMap.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { failureFrom } from '../../support/failureFrom.ts';

/** What a slot holds that was given back, and a filled one behind its padding. */
const GARBAGE = 0xee;

const BLOCK = 512;

/** As much as the engine promises to be behind with; its own constant is not to be believed here. */
const MOST_LAG = 4096;

/** The first slots of the ring that belong to the image. */
const [FIRST, SECOND, THIRD, FOURTH] = [3, 4, 5, 6] as const;

/** An image that comes when the test says. */
class HandedReader implements ImageReader {
  readonly released: number[] = [];
  readonly #ring: Ring;
  readonly #queue = new FilledQueue();
  #offset = 0;

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  /** The next bytes of the image, at most a slot of them. */
  hand(slot: number, bytes: Uint8Array): void {
    const view = this.#ring.view(slot);
    const padded = Math.ceil(bytes.length / 4096) * 4096;
    view.set(bytes);
    view.fill(0, bytes.length, padded);
    view.fill(GARBAGE, padded);
    const [offset, length] = [this.#offset, bytes.length];
    this.#offset += length;
    this.#queue.push({ slot, offset, length, inputConsumed: this.#offset });
  }

  end(): void {
    this.#queue.finish(this.#offset);
  }

  next(): Promise<FilledSlot | null> {
    return this.#queue.next();
  }

  release(slot: number): void {
    this.released.push(slot);
    this.#ring.view(slot).fill(GARBAGE);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A digest that answers in order, and only when the test says. */
class HeldDigester implements Digester {
  readonly asked: { slot: number; length: number; ranges: readonly SlotRange[] }[] = [];
  readonly #held: PromiseWithResolvers<undefined>[] = [];
  readonly #ring: Ring;
  readonly #digest: ImageDigest;
  #isHolding = true;

  constructor(ring: Ring, bmap: Bmap | null) {
    this.#ring = ring;
    this.#digest = new ImageDigest(bmap);
  }

  async update(slot: number, length: number, ranges: readonly SlotRange[]): Promise<number[]> {
    this.asked.push({ slot, length, ranges });
    await this.#turn();
    return this.#digest.update(this.#ring.view(slot), length, ranges);
  }

  async finish(): Promise<string> {
    await this.#turn();
    return this.#digest.finish();
  }

  check(): Promise<number> {
    throw new Error('nothing is read back here');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Answers what was asked first. */
  answerOne(): void {
    this.#held.shift()?.resolve(undefined);
  }

  /** What was asked first fails. */
  failOne(cause: Error): void {
    this.#held.shift()?.reject(cause);
  }

  /** Answers everything from now on. */
  letGo(): void {
    this.#isHolding = false;
    for (const turn of this.#held.splice(0)) turn.resolve(undefined);
  }

  async #turn(): Promise<void> {
    const turn = Promise.withResolvers<undefined>();
    if (this.#isHolding) this.#held.push(turn);
    else turn.resolve(undefined);
    await turn.promise;
  }
}

/** A device whose writes end when the test says; what they bring is kept until they do. */
class HeldDevice implements Device {
  readonly size = 2 ** 40;
  readonly logicalBlockSize = BLOCK;
  /** Of every write: where, how much, and the CRC-32 of what its memory held in the end. */
  readonly written: { position: number; length: number; crc: number }[] = [];
  readonly #gate = Promise.withResolvers<undefined>();

  letGo(): void {
    this.#gate.resolve(undefined);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.#gate.promise;
    this.written.push({ position, length: bytes.length, crc: crc32(bytes) });
  }

  read(): Promise<void> {
    throw new Error('nothing is read here');
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  presence(): Promise<Presence> {
    return Promise.resolve('present');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface FeedOrder {
  readonly cards?: number;
  readonly bmap?: Bmap | null;
  readonly keepsHead?: boolean;
}

interface FeedParts {
  readonly clock: FakeClock;
  readonly job: JobContext;
  readonly reader: HandedReader;
  readonly digester: HeldDigester;
  readonly devices: readonly HeldDevice[];
  readonly cards: readonly Card[];
  readonly feed: ImageFeed;
}

/** A feed whose cards take everything from the image's first byte on, unless told otherwise. */
function setUp({ cards: count = 1, bmap = null, keepsHead = false }: FeedOrder = {}): FeedParts {
  const clock = new FakeClock();
  const ring = new Ring(FOURTH + 1);
  const digester = new HeldDigester(ring, bmap);
  const reader = new HandedReader(ring);
  const job = { ring, digester, manifest: new Manifest(), clock, emit: () => undefined, depth: 4 };
  const devices = Array.from({ length: count }, () => new HeldDevice());
  const cards = devices.map((device, index) => cardOn(device, `card-${String(index)}`, job));
  const mapper = bmap === null ? null : new BmapMapper(bmap);
  const options = { path: 'card.img', fileSize: 1 << 30, mapper, blockSize: BLOCK, keepsHead };
  const feed = new ImageFeed(options, reader, cards, job);
  return { clock, job, reader, digester, devices, cards, feed };
}

function cardOn(device: Device, name: string, job: JobContext): Card {
  return new FlashedCard(name, new DeviceChannel(device, name, job.clock), job, {
    verify: false,
    discarded: false,
    slots: [],
    imageSize: () => null,
    imageFraction: () => 0,
  });
}

/** A cheap way to bytes that are not zeros, different for every `seed`. */
function data(seed: number, length = SLOT_BYTES): Uint8Array {
  return new SeededRandom(seed).bytes(length);
}

function zeros(length = SLOT_BYTES): Uint8Array {
  return new Uint8Array(length);
}

function sha256(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** Lets everything happen that waits for nobody. */
async function settle(): Promise<void> {
  await setImmediate();
}

/** Runs a feed to its failure, ticked as the job does, and says when that was in milliseconds. */
async function silence({ clock, feed }: FeedParts): Promise<{ cause: Failure; after: number }> {
  const began = clock.now();
  clock.every(250, () => {
    feed.tick();
  });
  const running = feed.run().then(() => undefined);
  const cause = await failureFrom(clock.drive(running, 600_000));
  return { cause, after: clock.now() - began };
}

const SILENT = {
  code: 'image-unreadable',
  facts: { path: 'card.img', cause: 'nothing came for 30 s' },
};

/** Longer than any silence that is accepted, in milliseconds. */
const LONG = 100_000;

describe('a file that gives nothing', () => {
  it('is lost after 30 s, and not before', async () => {
    const { cause, after } = await silence(setUp());
    expect(cause).toEqual(SILENT);
    expect(after).toBe(30_000);
  });

  it('has its 30 s anew with every slot that comes', async () => {
    const parts = setUp();
    const { clock, reader, digester, devices } = parts;
    digester.letGo();
    devices[0]?.letGo();
    void clock.after(20_000).then(() => {
      reader.hand(FIRST, data(1));
    });
    const { cause, after } = await silence(parts);
    expect(cause).toEqual(SILENT);
    expect(after).toBe(50_000);
  });

  it('is not missed while a card is busy, and then has its 30 s anew', async () => {
    const parts = setUp({ cards: 2 });
    const { clock, reader, digester, devices } = parts;
    const [slow, fast] = devices;
    digester.letGo();
    fast?.letGo();
    reader.hand(FIRST, data(1));
    void clock.after(LONG).then(() => slow?.letGo());
    const { cause, after } = await silence(parts);
    expect(cause).toEqual(SILENT);
    expect(after - LONG).toBeGreaterThanOrEqual(29_750);
    expect(after - LONG).toBeLessThanOrEqual(30_250);
  });

  it.each([
    ['of data', data(1)],
    ['of zeros, which nobody waits for', zeros()],
  ])('is not missed while the digest is busy with a slot %s', async (_, bytes) => {
    const parts = setUp();
    const { clock, reader, digester, devices } = parts;
    devices[0]?.letGo();
    reader.hand(FIRST, bytes);
    void clock.after(LONG).then(() => {
      digester.letGo();
    });
    const { cause, after } = await silence(parts);
    expect(cause).toEqual(SILENT);
    expect(after - LONG).toBeGreaterThanOrEqual(29_750);
    expect(after - LONG).toBeLessThanOrEqual(30_250);
  });
});

describe('a slot of zeros', () => {
  it('goes back when the cards have it, though the digest has not answered', async () => {
    const { reader, devices, feed } = setUp({ cards: 2 });
    const [one, other] = devices;
    void feed.run();
    reader.hand(FIRST, zeros());
    one?.letGo();
    await settle();
    expect(reader.released).toEqual([]);
    other?.letGo();
    await settle();
    expect(reader.released).toEqual([FIRST]);
  });

  it('is hashed from the slot that always holds zeros', async () => {
    const { reader, digester, feed } = setUp();
    void feed.run();
    reader.hand(FIRST, zeros());
    await settle();
    expect(digester.asked).toEqual([{ slot: SHARED_SLOTS.zeros, length: SLOT_BYTES, ranges: [] }]);
  });

  it('has the CRC of its pieces before the digest has answered', async () => {
    const { job, reader, feed } = setUp();
    void feed.run();
    reader.hand(FIRST, zeros());
    await settle();
    expect(job.manifest.pieces).toEqual([{ offset: 0, length: SLOT_BYTES, crc: crc32(zeros()) }]);
  });

  it.each([[1000], [512], [SLOT_BYTES - 1]])(
    'that ends the image after %i bytes is padded, and hashed without the padding',
    async (length) => {
      const { job, reader, digester, devices, feed } = setUp();
      const running = feed.run();
      devices[0]?.letGo();
      reader.hand(FIRST, data(1));
      reader.hand(SECOND, zeros(length));
      reader.end();
      await settle();
      const padded = Math.ceil(length / BLOCK) * BLOCK;
      const crc = crc32(zeros(padded));
      expect(job.manifest.pieces[1]).toEqual({ offset: SLOT_BYTES, length: padded, crc });
      expect(devices[0]?.written[1]).toEqual({ position: SLOT_BYTES, length: padded, crc });
      expect(digester.asked[1]).toEqual({ slot: SHARED_SLOTS.zeros, length, ranges: [] });
      digester.letGo();
      const fed = await running;
      expect(fed.size).toBe(SLOT_BYTES + length);
      expect(await fed.sha256).toBe(sha256(data(1), zeros(length)));
    },
  );

  it('keeps the digest from nothing that it has to say of the slots around it', async () => {
    const { job, reader, digester, devices, feed } = setUp();
    const running = feed.run();
    devices[0]?.letGo();
    const image = [data(1), zeros(), data(2), zeros()];
    for (const [index, bytes] of image.entries()) reader.hand(FIRST + index, bytes);
    reader.end();
    digester.letGo();
    expect(await (await running).sha256).toBe(sha256(...image));
    expect(job.manifest.pieces.map(({ crc }) => crc)).toEqual(image.map((bytes) => crc32(bytes)));
    expect(devices[0]?.written.map(({ crc }) => crc)).toEqual(image.map((bytes) => crc32(bytes)));
  });

  it('is neither the image nor a part of a hash until the digest has had it', async () => {
    const { reader, digester, devices, feed } = setUp();
    devices[0]?.letGo();
    const lengths = [SLOT_BYTES, SLOT_BYTES, SLOT_BYTES, 70_000];
    for (const [index, length] of lengths.entries()) reader.hand(FIRST + index, zeros(length));
    reader.end();
    const fed = await feed.run();
    expect(reader.released).toEqual([FIRST, SECOND, THIRD, FOURTH]);
    let hash: string | null = null;
    void fed.sha256.then((told) => (hash = told));
    for (const length of lengths) {
      expect(digester.asked.shift()?.length).toBe(length);
      digester.answerOne();
      await settle();
      expect(hash).toBeNull();
    }
    digester.letGo();
    expect(await fed.sha256).toBe(sha256(...lengths.map(zeros)));
  });

  it('is kept as the head like any other first slot', async () => {
    const { job, reader, devices, feed } = setUp({ keepsHead: true });
    job.ring.view(SHARED_SLOTS.head).fill(GARBAGE);
    void feed.run();
    reader.hand(FIRST, zeros());
    await settle();
    expect(Buffer.compare(job.ring.view(SHARED_SLOTS.head), zeros())).toBe(0);
    expect(reader.released).toEqual([FIRST]);
    expect(job.manifest.pieces).toEqual([]);
    devices[0]?.letGo();
    await settle();
    expect(devices[0]?.written).toEqual([]);
  });

  it('never waits for a card that has ended', async () => {
    const { reader, cards, feed } = setUp();
    void feed.run();
    cards[0]?.cancel();
    reader.hand(FIRST, zeros());
    await settle();
    expect(reader.released).toEqual([FIRST]);
  });
});

describe('a slot of data', () => {
  it.each([
    ['at its beginning', 0],
    ['at its end', SLOT_BYTES - 1],
  ])('with one byte %s waits for cards and digest', async (_, at) => {
    const { job, reader, digester, devices, feed } = setUp();
    void feed.run();
    const bytes = zeros();
    bytes[at] = 1;
    reader.hand(FIRST, bytes);
    devices[0]?.letGo();
    await settle();
    expect(devices[0]?.written.length).toBe(1);
    expect(reader.released).toEqual([]);
    expect(job.manifest.pieces[0]?.crc).toBeNull();
    const ranges = [[0, SLOT_BYTES]];
    expect(digester.asked).toEqual([{ slot: FIRST, length: SLOT_BYTES, ranges }]);
    digester.letGo();
    await settle();
    expect(reader.released).toEqual([FIRST]);
    expect(job.manifest.pieces[0]?.crc).toBe(crc32(bytes));
  });
});

describe('the cards', () => {
  it('are no more than 4096 slots of zeros ahead of the digest', async () => {
    // Cards that have everything at once are none that a slot waits for.
    const { job, reader, digester, feed } = setUp({ cards: 0 });
    void feed.run();
    const handOne = async (): Promise<boolean> => {
      const before = reader.released.length;
      reader.hand(FIRST, zeros());
      await settle();
      return reader.released.length > before;
    };
    let ahead = 0;
    while (ahead <= MOST_LAG && (await handOne())) ahead += 1;
    expect(ahead).toBe(MOST_LAG);
    expect(job.manifest.pieces.at(-1)?.crc).toBeNull();
    const held = { slot: FIRST, length: SLOT_BYTES, ranges: [[0, SLOT_BYTES]] };
    expect(digester.asked.at(-1)).toEqual(held);

    // One answer is not enough for another: the slot that is held counts as well.
    digester.answerOne();
    reader.hand(SECOND, zeros());
    await settle();
    expect(reader.released).not.toContain(SECOND);
    digester.answerOne();
    digester.answerOne();
    await settle();
    reader.hand(THIRD, zeros());
    await settle();
    expect(reader.released.at(-1)).toBe(THIRD);
    const crc = crc32(zeros());
    const told = job.manifest.pieces.filter((piece) => piece.crc === crc);
    expect(told.length).toBe(MOST_LAG + 1);
  });
});

describe('a digest that fails', () => {
  const cause = fail('block-map-range-differs', { path: 'x.bmap', firstBlock: 1, lastBlock: 2 });

  it.each([
    ['zeros that the cards did not wait for', zeros()],
    ['data', data(1)],
  ])('on %s ends the feed with its failure', async (_, bytes) => {
    const { reader, digester, devices, feed } = setUp();
    const running = failureFrom(feed.run());
    devices[0]?.letGo();
    reader.hand(FIRST, bytes);
    await settle();
    digester.failOne(cause);
    expect(await running).toEqual(cause.failure);
  });

  it('on zeros when the cards have everything takes the hash with it, whatever comes after', async () => {
    const { reader, digester, devices, feed } = setUp();
    devices[0]?.letGo();
    reader.hand(FIRST, zeros());
    reader.hand(SECOND, zeros());
    reader.end();
    const fed = await feed.run();
    digester.failOne(cause);
    await settle();
    digester.letGo();
    expect(await failureFrom(fed.sha256)).toEqual(cause.failure);
  });

  it('at its end rejects the hash', async () => {
    const { reader, digester, devices, feed } = setUp();
    devices[0]?.letGo();
    reader.hand(FIRST, zeros());
    reader.end();
    const fed = await feed.run();
    digester.answerOne();
    digester.failOne(cause);
    expect(await failureFrom(fed.sha256)).toEqual(cause.failure);
  });
});

describe('zeros and a block map', () => {
  /** Two MiB of data, then zeros to the middle of a block; a MiB has four blocks. */
  const image = Buffer.concat([data(1), data(2), zeros(SLOT_BYTES + 1000)]);
  const USED = [0, 1, 5, 8, 10, 11, 12];
  const bmap = bmapOf(image, USED, false);

  function handImage(reader: HandedReader): void {
    for (const [index, slot] of [FIRST, SECOND, THIRD, FOURTH].entries()) {
      const start = index * SLOT_BYTES;
      reader.hand(slot, image.subarray(start, start + SLOT_BYTES));
    }
    reader.end();
  }

  it('go to the cards and into the manifest as the map says, each with its CRC', async () => {
    const { job, reader, digester, devices, feed } = setUp({ bmap, keepsHead: true });
    const running = feed.run();
    devices[0]?.letGo();
    handImage(reader);
    await settle();
    const pieces = [
      { offset: 8 * MAP_BLOCK, length: MAP_BLOCK, crc: crc32(zeros(MAP_BLOCK)) },
      { offset: 10 * MAP_BLOCK, length: 2 * MAP_BLOCK, crc: crc32(zeros(2 * MAP_BLOCK)) },
      { offset: 12 * MAP_BLOCK, length: 1024, crc: crc32(zeros(1024)) },
    ];
    expect(job.manifest.pieces.slice(1)).toEqual(pieces);
    expect(devices[0]?.written.slice(1)).toEqual(
      pieces.map(({ offset, length, crc }) => ({ position: offset, length, crc })),
    );
    expect(digester.asked.map(({ slot, length }) => [slot, length])).toEqual([
      [FIRST, SLOT_BYTES],
      [SECOND, SLOT_BYTES],
      [SHARED_SLOTS.zeros, SLOT_BYTES],
      [SHARED_SLOTS.zeros, 1000],
    ]);
    digester.letGo();
    expect(await (await running).sha256).toBe(sha256(image));
  });

  it('go back at once where nothing of them is wanted', async () => {
    const { job, reader, devices, feed } = setUp({ bmap: bmapOf(image, [0, 4], false) });
    void feed.run();
    handImage(reader);
    await settle();
    expect(reader.released).toEqual([THIRD, FOURTH]);
    expect(job.manifest.pieces.length).toBe(2);
    expect(devices[0]?.written).toEqual([]);
  });

  it('are checked against it all the same, though the cards have them long since', async () => {
    const wrong = { ...bmap, ranges: bmap.ranges.map((range) => ({ ...range })) };
    const last = wrong.ranges.at(-1);
    if (last === undefined) throw new Error('a map without ranges');
    wrong.ranges[wrong.ranges.length - 1] = { ...last, checksum: '0'.repeat(64) };
    const { reader, digester, devices, feed } = setUp({ bmap: wrong });
    devices[0]?.letGo();
    const running = feed.run();
    handImage(reader);
    await settle();
    // The slots of data first: with them the cards have everything.
    digester.answerOne();
    digester.answerOne();
    const fed = await running;
    digester.letGo();
    expect(await failureFrom(fed.sha256)).toEqual({
      code: 'block-map-range-differs',
      facts: { path: 'card.bmap', firstBlock: 10, lastBlock: 12 },
    });
  });
});
