import type { EngineOrder, EngineTarget } from '../../src-contract/WriterWire.ts';
import type { Failure } from '../../src-core/Failure.ts';
import { fail, failureOf } from '../../src-core/Failure.ts';
import type { FlashEvent } from '../../src-core/FlashEvent.ts';
import type { DecodePlan } from '../../src-image/ImageSource.ts';
import type { RangeMapper } from '../../src-image/blockmap/RangeMapper.ts';
import { CANCELLED } from './Card.ts';
import type { Card, CardSlot } from './Card.ts';
import type { Clock } from './Clock.ts';
import { ComparedCard } from './ComparedCard.ts';
import type { Device } from './Device.ts';
import { DeviceChannel } from './DeviceChannel.ts';
import { FlashedCard } from './FlashedCard.ts';
import type { Digester, SlotRange } from './ImageDigest.ts';
import type { FilledSlot, ImageReader } from './ImageReader.ts';
import type { JobContext } from './JobContext.ts';
import { SHARED_SLOTS } from './JobContext.ts';
import { Manifest } from './Manifest.ts';
import { Ring, SLOT_BYTES } from './Ring.ts';
import { ringLayout } from './RingLayout.ts';
import type { RingLayout } from './RingLayout.ts';
import { SlotLease } from './SlotLease.ts';
import { encodeMarker } from './UnfinishedMarker.ts';

/** Milliseconds between looks at the cards: progress, stalls, sleep, pulled media. */
const TICK_MS = 250;

/** An image that was opened, looked at and found fit to be flashed. */
export interface EngineImage {
  /** Bytes of the file, compressed as it may be. */
  readonly fileSize: number;
  readonly plan: DecodePlan;
  /** null: every byte is written. */
  readonly mapper: RangeMapper | null;
  /** Starts to decode into the ring. */
  decode(ring: Ring, layout: RingLayout): ImageReader;
  /** Starts to hash what is decoded, and to check it against its block map. */
  digest(ring: Ring): Digester;
  /** @throws FailureError image-changed */
  checkUnchanged(): void;
  close(): void;
}

/** What the job needs from outside; tests pass fakes for devices, clock and threads. */
export interface EnginePorts {
  readonly clock: Clock;
  readonly cores: number;
  emit(event: FlashEvent): void;
  /** @throws FailureError image-*, block-map-*, used-blocks-unavailable */
  openImage(image: EngineOrder['image']): Promise<EngineImage>;
  /** @throws FailureError practice-card-*, drive-open-failed */
  openDevice(target: EngineTarget): Promise<Device>;
}

/** One job of the engine: one image, decoded once, onto one or more cards. */
export class EngineJob {
  readonly #order: EngineOrder;
  readonly #ports: EnginePorts;
  readonly #cancelled = new Set<string>();
  #cards: readonly Card[] = [];
  #imageSize: number | null = null;
  #imageFraction = 0;

  constructor(order: EngineOrder, ports: EnginePorts) {
    this.#order = order;
    this.#ports = ports;
  }

  /** Cancels one card, or all with null. */
  cancel(cardId: string | null): void {
    for (const target of this.#order.targets) {
      if (cardId !== null && target.cardId !== cardId) continue;
      this.#cancelled.add(target.cardId);
      this.#cards.find(({ id }) => id === target.cardId)?.cancel();
    }
  }

  /** Runs the job to its end; every card has said how it ended when this resolves. Never rejects. */
  async run(): Promise<void> {
    const devices: Device[] = [];
    let image: EngineImage | null = null;
    try {
      image = await this.#ports.openImage(this.#order.image);
      const { format, size } = image.plan;
      this.#ports.emit({ type: 'image', format, size });
      this.#imageSize = size;
      await this.#onCards(image, devices);
    } catch (thrown) {
      this.#failAll(failureOf(thrown));
    } finally {
      image?.close();
      // A dead device may never close; nobody waits for it.
      for (const device of devices) void device.close().catch(() => undefined);
    }
    this.#ports.emit({ type: 'end' });
  }

  async #onCards(image: EngineImage, devices: Device[]): Promise<void> {
    const { targets } = this.#order;
    for (const target of targets) devices.push(await this.#ports.openDevice(target));
    const layout = ringLayout(image.plan, targets.length, this.#ports.cores);
    const ring = new Ring(layout.slots);
    this.#checkSizes(devices);
    const digester = image.digest(ring);
    const job: JobContext = {
      ring,
      digester,
      manifest: new Manifest(),
      clock: this.#ports.clock,
      emit: (event) => {
        this.#ports.emit(event);
      },
      depth: layout.depth,
    };
    ring.view(SHARED_SLOTS.marker).set(this.#marker());
    this.#cards = targets.map((target, index) =>
      this.#card(target, devices[index], job, layout.cardSlots[index]),
    );
    for (const cardId of this.#cancelled) this.cancel(cardId);
    const stopTicking = this.#ports.clock.every(TICK_MS, () => {
      for (const card of this.#cards) {
        card.channel.tick();
        card.reportProgress();
      }
    });
    try {
      await this.#stream(image, job, layout);
    } finally {
      stopTicking();
      await digester.close();
    }
  }

  async #stream(image: EngineImage, job: JobContext, layout: RingLayout): Promise<void> {
    const allEnded = this.#allEnded();
    // Decoding begins while the cards are being prepared.
    const reader = image.decode(job.ring, layout);
    try {
      await Promise.all(this.#cards.map((card) => card.step(() => card.prepare())));
      const outcome = await Promise.race([allEnded, this.#feed(image, reader, job)]);
      if (outcome === 'ended') return;
    } finally {
      // The threads' memory is wanted for the read-back.
      await reader.close();
    }
    await Promise.all(this.#cards.map((card) => card.finish()));
  }

  /** Hands the whole image to the digest and the cards, and checks it against what was promised. */
  async #feed(image: EngineImage, reader: ImageReader, job: JobContext): Promise<'fed'> {
    const handed = new Set<Promise<void>>();
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    let size = 0;
    for (;;) {
      const filled = await Promise.race([reader.next(), failed.promise]);
      if (filled === null) break;
      size = filled.offset + filled.length;
      this.#imageFraction = filled.inputConsumed / image.fileSize;
      this.#checkFits(size);
      const handing = this.#hand(filled, image, reader, job);
      handed.add(handing);
      handing.then(() => handed.delete(handing), failed.reject);
    }
    image.mapper?.finish();
    await Promise.race([Promise.all(handed), failed.promise]);
    const sha256 = await job.digester.finish();
    // The job may have ended while this waited; nothing more is said of it then.
    if (this.#cards.every((card) => card.ended)) return 'fed';
    image.checkUnchanged();
    this.#ports.emit({ type: 'hashed', sha256, size });
    const expected = this.#order.image.expectedSha256;
    if (expected !== null && expected !== sha256) {
      throw fail('image-hash-mismatch', { expected, actual: sha256 });
    }
    return 'fed';
  }

  /** One slot to the digest and to every card; it goes back to the reader when all are done with it. */
  async #hand(
    filled: FilledSlot,
    image: EngineImage,
    reader: ImageReader,
    job: JobContext,
  ): Promise<void> {
    const bytes = job.ring.view(filled.slot);
    if (filled.offset === 0) keepHead(bytes, filled.length, job.ring);
    const ranges = this.#ranges(filled, image.mapper, bytes);
    const pieces = ranges.map(([start, end]) =>
      job.manifest.add(filled.offset + start, end - start),
    );
    const cards = this.#cards.filter((card) => !card.ended);
    const lease = new SlotLease(cards.length + 1, () => {
      reader.release(filled.slot);
    });
    const cardSlot: CardSlot = { filled, pieces, lease };
    const digest = job.digester.update(filled.slot, filled.length, ranges);
    for (const card of cards) card.accept(cardSlot);
    const crcs = await digest;
    for (const [index, piece] of pieces.entries()) piece.crc = crcs[index] ?? null;
    lease.done();
  }

  /** What of a slot goes to the cards, padded to whole blocks; the first MiB is written last. */
  #ranges(filled: FilledSlot, mapper: RangeMapper | null, bytes: Uint8Array): SlotRange[] {
    const { offset, length } = filled;
    const used = mapper?.map(offset, bytes.subarray(0, length)) ?? [
      { start: offset, end: offset + length },
    ];
    if (offset === 0 && this.#order.action === 'flash') return [];
    const block = this.#blockSize();
    return used.map(({ start, end }) => [
      start - offset,
      Math.ceil((end - offset) / block) * block,
    ]);
  }

  #card(
    target: EngineTarget,
    device: Device | undefined,
    job: JobContext,
    slots: readonly number[] | undefined,
  ): Card {
    if (device === undefined || slots === undefined) throw new RangeError('a card without device');
    const channel = new DeviceChannel(device, target.name, this.#ports.clock);
    const image = {
      imageSize: () => this.#imageSize,
      imageFraction: () => this.#imageFraction,
      slots,
    };
    if (this.#order.action === 'verify')
      return new ComparedCard(target.cardId, channel, job, image);
    const { verify } = this.#order;
    const { discarded } = target;
    return new FlashedCard(target.cardId, channel, job, { ...image, verify, discarded });
  }

  #marker(): Uint8Array {
    return encodeMarker({
      jobId: this.#order.jobId,
      started: new Date(this.#ports.clock.wall()).toISOString(),
      imageSha256: this.#order.image.expectedSha256,
    });
  }

  #blockSize(): number {
    return Math.max(...this.#order.targets.map(({ logicalBlockSize }) => logicalBlockSize));
  }

  #checkSizes(devices: readonly Device[]): void {
    if (this.#imageSize === null) return;
    const block = this.#blockSize();
    const imageBytes = Math.ceil(this.#imageSize / block) * block;
    const driveBytes = Math.min(...devices.map(({ size }) => size));
    if (imageBytes > driveBytes) throw fail('image-too-large', { imageBytes, driveBytes });
  }

  /** An image of unknown size may turn out too large for one card and still fit the others. */
  #checkFits(imageBytes: number): void {
    for (const card of this.#cards) {
      const driveBytes = card.channel.device.size;
      if (imageBytes > driveBytes) {
        card.fail({ code: 'image-too-large', facts: { imageBytes, driveBytes } });
      }
    }
  }

  #allEnded(): Promise<'ended'> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#cards.every((card) => card.ended)) resolve('ended');
      };
      for (const card of this.#cards) card.onEnd = check;
      check();
    });
  }

  #failAll(cause: Failure): void {
    for (const target of this.#order.targets) {
      const card = this.#cards.find(({ id }) => id === target.cardId);
      if (card === undefined) this.#untouched(target.cardId, cause);
      else card.fail(cause);
    }
  }

  #untouched(cardId: string, cause: Failure): void {
    this.#ports.emit({
      type: 'card',
      cardId,
      condition: 'untouched',
      failure: this.#cancelled.has(cardId) ? CANCELLED : cause,
      bytesWritten: 0,
      bytesVerified: 0,
      oldDataRemains: false,
    });
  }
}

function keepHead(bytes: Uint8Array, length: number, ring: Ring): void {
  const head = ring.view(SHARED_SLOTS.head);
  head.set(bytes.subarray(0, length));
  head.fill(0, length, SLOT_BYTES);
}
