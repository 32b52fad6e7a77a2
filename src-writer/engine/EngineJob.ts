import type { EngineOrder, EngineTarget } from '../../src-contract/WriterWire.ts';
import type { Failure } from '../../src-core/Failure.ts';
import { fail, failureOf } from '../../src-core/Failure.ts';
import type { FlashEvent } from '../../src-core/FlashEvent.ts';
import type { DecodePlan } from '../../src-image/ImageSource.ts';
import type { RangeMapper } from '../../src-image/blockmap/RangeMapper.ts';
import type { Card } from './Card.ts';
import { CANCELLED } from './Card.ts';
import type { Clock } from './Clock.ts';
import { ComparedCard } from './ComparedCard.ts';
import type { Device } from './Device.ts';
import { DeviceChannel } from './DeviceChannel.ts';
import { FlashedCard } from './FlashedCard.ts';
import type { Digester } from './ImageDigest.ts';
import { type FedImage, ImageFeed, imageSilent, SILENCE_SECONDS } from './ImageFeed.ts';
import type { ImageReader } from './ImageReader.ts';
import type { JobContext } from './JobContext.ts';
import { SHARED_SLOTS } from './JobContext.ts';
import { Manifest } from './Manifest.ts';
import { Ring } from './Ring.ts';
import type { RingLayout } from './RingLayout.ts';
import { encodeMarker } from './UnfinishedMarker.ts';

/** Milliseconds between looks at the cards: progress, stalls, sleep, pulled media. */
const TICK_MS = 250;

/** The largest block that the marker at a card's beginning leaves room for. */
const LARGEST_BLOCK = 4096;

/** An image that was opened, looked at and found fit to be flashed. */
export interface EngineImage {
  /** Bytes of the file, compressed as it may be. */
  readonly fileSize: number;
  readonly plan: DecodePlan;
  /** Decompressed bytes that its own partition table promises; 0 for none. */
  readonly leastSize: number;
  /** null: every byte is written. */
  readonly mapper: RangeMapper | null;
  /** Starts to decode into the ring. */
  decode(ring: Ring, layout: RingLayout): ImageReader;
  /** Starts to hash what is decoded, and to check it against its block map. */
  digest(ring: Ring): Digester;
  /** @throws FailureError image-changed; may never answer */
  checkUnchanged(): Promise<void>;
  close(): void;
}

/** What the job needs from outside; tests pass fakes for devices, clock and threads. */
export interface EnginePorts {
  readonly clock: Clock;
  layout(plan: DecodePlan, cards: number): RingLayout;
  emit(event: FlashEvent): void;
  /** @throws FailureError image-*, block-map-*, used-blocks-unavailable */
  openImage(image: EngineOrder['image']): Promise<EngineImage>;
  /** @throws FailureError practice-card-*, drive-open-failed */
  openDevice(target: EngineTarget, use: 'write' | 'read'): Promise<Device>;
}

/** One job of the engine: one image, decoded once, onto one or more cards. */
export class EngineJob {
  readonly #order: EngineOrder;
  readonly #ports: EnginePorts;
  readonly #cancelled = new Set<string>();
  #cards: readonly Card[] = [];
  #feed: ImageFeed | null = null;
  #imageSize: number | null = null;

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
    let image: EngineImage | null = null;
    try {
      image = await this.#ports.openImage(this.#order.image);
      const { format, size } = image.plan;
      this.#ports.emit({ type: 'image', format, size });
      this.#imageSize = size;
      await this.#onCards(image, await this.#openDevices());
    } catch (thrown) {
      this.#failAll(failureOf(thrown));
    } finally {
      image?.close();
    }
    this.#ports.emit({ type: 'end' });
  }

  async #openDevices(): Promise<Device[]> {
    const { targets, action } = this.#order;
    const use = action === 'flash' ? 'write' : 'read';
    const devices: Device[] = [];
    try {
      for (const target of targets) {
        devices.push(await this.#ports.openDevice(target, use));
      }
      this.#checkSizes(devices);
      return devices;
    } catch (thrown) {
      for (const device of devices) await device.close();
      throw thrown;
    }
  }

  async #onCards(image: EngineImage, devices: readonly Device[]): Promise<void> {
    const layout = this.#ports.layout(image.plan, devices.length);
    const ring = new Ring(layout.slots);
    ring.view(SHARED_SLOTS.marker).set(this.#marker());
    const job: JobContext = {
      ring,
      digester: image.digest(ring),
      manifest: new Manifest(),
      clock: this.#ports.clock,
      emit: (event) => {
        this.#ports.emit(event);
      },
      depth: layout.depth,
    };
    this.#cards = devices.map((device, index) => this.#card(index, device, job, layout));
    for (const cardId of this.#cancelled) this.cancel(cardId);
    const stopTicking = this.#ports.clock.every(TICK_MS, () => {
      this.#tick();
    });
    try {
      await this.#stream(image, job, layout, devices);
    } catch (thrown) {
      // Before the digest ends: a card that asks it for something would fail for that.
      this.#failAll(failureOf(thrown));
    } finally {
      stopTicking();
      await job.digester.close();
    }
  }

  async #stream(
    image: EngineImage,
    job: JobContext,
    layout: RingLayout,
    devices: readonly Device[],
  ): Promise<void> {
    const allEnded = this.#allEnded();
    let fed: FedImage | null = null;
    // Decoding begins while the cards are being prepared.
    const reader = image.decode(job.ring, layout);
    const { action, image: ordered } = this.#order;
    const options = {
      path: ordered.path,
      fileSize: image.fileSize,
      mapper: image.mapper,
      blockSize: blockSizeOf(devices),
      keepsHead: action === 'flash',
    };
    try {
      await Promise.all(this.#cards.map((card) => card.step(() => card.prepare())));
      this.#feed = new ImageFeed(options, reader, this.#cards, job);
      fed = await Promise.race([allEnded, this.#feed.run()]);
    } finally {
      this.#feed = null;
      // The threads' memory is wanted for the read-back. One that waits for its file may never end.
      const closing = reader.close();
      if (fed !== null) await closing;
    }
    if (fed === null) return;
    const approval = this.#approve(image, fed);
    const finishing = this.#cards.map((card) => card.finish(approval));
    await Promise.race([allEnded, Promise.all([approval, ...finishing])]);
  }

  /**
   * Resolves when the whole image was hashed and found good.
   * @throws FailureError image-truncated, image-changed, image-hash-mismatch, block-map-range-differs
   */
  async #approve(image: EngineImage, fed: FedImage): Promise<void> {
    this.#imageSize = fed.size;
    // Not all formats tell their size before: what was cut off before it was compressed shows here.
    if (fed.size < image.leastSize) {
      throw fail('image-truncated', { path: this.#order.image.path, format: 'raw' });
    }
    const sha256 = await fed.sha256;
    // The job may have ended meanwhile; nothing more is said of it then.
    if (this.#haveAllEnded()) return;
    await this.#inTime(image.checkUnchanged());
    this.#ports.emit({ type: 'hashed', sha256, size: fed.size });
    const expected = this.#order.image.expectedSha256;
    if (expected !== null && expected !== sha256) {
      throw fail('image-hash-mismatch', { expected, actual: sha256 });
    }
  }

  /** @throws FailureError image-unreadable where the image file does not answer; what the answer throws */
  async #inTime(answer: Promise<void>): Promise<void> {
    const { path } = this.#order.image;
    const { promise: silence, reject } = Promise.withResolvers<never>();
    const stopWaiting = this.#ports.clock.every(SILENCE_SECONDS * 1000, () => {
      reject(imageSilent(path));
    });
    try {
      await Promise.race([answer, silence]);
    } finally {
      stopWaiting();
    }
  }

  #tick(): void {
    this.#feed?.tick();
    for (const card of this.#cards) {
      card.channel.tick();
      card.reportProgress();
    }
  }

  #card(index: number, device: Device, job: JobContext, layout: RingLayout): Card {
    const target = this.#order.targets[index];
    const slots = layout.cardSlots[index];
    if (target === undefined || slots === undefined) throw new RangeError('a device without card');
    const channel = new DeviceChannel(device, target.name, this.#ports.clock);
    const image = {
      imageSize: () => this.#imageSize,
      imageFraction: () => this.#feed?.fraction ?? 1,
      slots,
    };
    if (this.#order.action === 'verify') {
      return new ComparedCard(target.cardId, channel, job, image);
    }
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

  #checkSizes(devices: readonly Device[]): void {
    const block = blockSizeOf(devices);
    if (block > LARGEST_BLOCK) {
      const drive = this.#order.targets.map(({ name }) => name).join(', ');
      throw fail('drive-open-failed', { drive, cause: `blocks of ${String(block)} bytes` });
    }
    if (this.#imageSize === null) return;
    const imageBytes = Math.ceil(this.#imageSize / block) * block;
    const driveBytes = Math.min(...devices.map(({ size }) => size));
    if (imageBytes > driveBytes) throw fail('image-too-large', { imageBytes, driveBytes });
  }

  #haveAllEnded(): boolean {
    return this.#cards.every((card) => card.ended);
  }

  /** Resolves when no card is left to work for. */
  #allEnded(): Promise<null> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#haveAllEnded()) resolve(null);
      };
      for (const card of this.#cards) card.onEnd = check;
      check();
    });
  }

  #failAll(cause: Failure): void {
    for (const { cardId } of this.#order.targets) {
      const card = this.#cards.find(({ id }) => id === cardId);
      if (card === undefined) this.#reportUntouched(cardId, cause);
      else card.fail(cause);
    }
  }

  #reportUntouched(cardId: string, cause: Failure): void {
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

/** All cards get the same pieces, so that these suit the one with the largest blocks. */
function blockSizeOf(devices: readonly Device[]): number {
  return Math.max(...devices.map(({ logicalBlockSize }) => logicalBlockSize));
}
