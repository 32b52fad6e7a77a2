import type { EngineOrder } from '../../src-contract/WriterWire.ts';
import { exitCodeOfJob } from '../../src-core/ExitCode.ts';
import type { ExitCode } from '../../src-core/ExitCode.ts';
import type { FlashEvent } from '../../src-core/FlashEvent.ts';
import { advance, planJob } from '../../src-core/FlashJob.ts';
import { EngineJob } from '../../src-writer/engine/EngineJob.ts';
import { FakeClock } from './FakeClock.ts';
import { FakeDisk } from './FakeDisk.ts';
import { bmapOf } from './ImageMap.ts';
import { layoutOf, openInlineImage } from './InlineEngine.ts';
import type { InlineReader } from './InlineReader.ts';
import type { CardScenario, Scenario } from './Scenario.ts';
import { memoryFile } from './TestImages.ts';
import type { TestImages } from './TestImages.ts';

/** Longer than any run takes in fake time, in milliseconds. */
const HUNG_AFTER = 600_000;

/** What a card holds before that is neither empty nor holds the image. */
const OLD_BYTE = 0xa5;

export interface TimedEvent {
  /** Milliseconds since the run began, in fake time. */
  readonly at: number;
  readonly event: FlashEvent;
}

export interface FaultRunResult {
  readonly events: readonly TimedEvent[];
  readonly disks: readonly FakeDisk[];
  /** What decoded the image; null where no card was ever ready for it. */
  readonly reader: InlineReader | null;
  readonly exitCode: ExitCode;
}

/** Runs the real engine over fake disks, a fake clock and one scenario. */
export async function runScenario(scenario: Scenario, images: TestImages): Promise<FaultRunResult> {
  const clock = new FakeClock();
  const began = clock.now();
  const disks = scenario.cards.map((card) => {
    const { blockSize, fault } = card;
    return new FakeDisk(contentBefore(scenario, card, images), blockSize, fault, clock);
  });
  const diskOf = (cardId: string): FakeDisk => {
    const disk = disks[scenario.cards.findIndex((card) => card.cardId === cardId)];
    if (disk === undefined) throw new Error(`no disk for ${cardId}`);
    return disk;
  };
  const events: TimedEvent[] = [];
  let reader: InlineReader | null = null;
  const job = new EngineJob(orderOf(scenario), {
    clock,
    layout: (plan, cards) => layoutOf(scenario.ring, plan, cards),
    emit: (event) => {
      if (event.type === 'card') diskOf(event.cardId).tell();
      events.push({ at: clock.now() - began, event });
    },
    openImage: async () => {
      await clock.after(scenario.opening);
      const { size, map, imageFault } = scenario;
      const { raw } = images[size];
      const bmap = map === null ? null : bmapOf(raw, map, imageFault.kind === 'map-differs');
      const file = memoryFile(damaged(scenario, images));
      const onReader = (started: InlineReader): void => {
        reader = started;
      };
      return openInlineImage({ file, bmap, scenario, clock, onReader });
    },
    openDevice: async ({ cardId }) => {
      await clock.after(scenario.opening);
      const disk = diskOf(cardId);
      disk.opened += 1;
      return disk;
    },
  });
  const { cancel } = scenario;
  if (cancel !== null) {
    void clock.after(cancel.after).then(() => {
      job.cancel(cancel.cardId);
    });
  }
  await clock.drive(job.run(), HUNG_AFTER);
  return { events, disks, reader, exitCode: exitCodeOf(scenario, events) };
}

/** What a card holds before: a fresh copy. */
export function contentBefore(
  { size: imageSize }: Scenario,
  { size, holds }: CardScenario,
  images: TestImages,
): Uint8Array {
  const bytes = new Uint8Array(size);
  if (holds === 'zeros') return bytes;
  bytes.fill(OLD_BYTE);
  // It could boot: an older image of the same layout.
  bytes.set([0x55, 0xaa], 510);
  if (holds === 'this-image') bytes.set(images[imageSize].raw.subarray(0, size));
  return bytes;
}

/** The image file of a scenario, with its fault. */
export function damaged({ size, format, imageFault }: Scenario, images: TestImages): Uint8Array {
  const bytes = images[size].encoded[format];
  if (imageFault.kind === 'truncated') {
    return bytes.slice(0, Math.max(1, Math.floor(bytes.length * imageFault.at)));
  }
  if (imageFault.kind !== 'bit-flipped') return bytes;
  const flipped = new Uint8Array(bytes);
  const at = Math.floor(bytes.length * imageFault.at);
  flipped[at] = (flipped[at] ?? 0) ^ 0x04;
  return flipped;
}

function orderOf({ action, cards, verify, imageFault }: Scenario): EngineOrder {
  return {
    jobId: 'fault-run',
    action,
    image: {
      path: 'card.img',
      fileSize: 1,
      modified: 1,
      expectedSha256: imageFault.kind === 'hash-mismatch' ? '0'.repeat(64) : null,
      blockMap: null,
      forceRaw: false,
      fd: null,
      blockMapFd: null,
    },
    targets: cards.map(({ cardId, size, blockSize, discarded }) => ({
      cardId,
      name: cardId,
      device: { kind: 'raw-path', path: `/${cardId}` },
      size,
      logicalBlockSize: blockSize,
      discarded,
    })),
    verify,
  };
}

function exitCodeOf({ action, cards, verify }: Scenario, events: readonly TimedEvent[]): ExitCode {
  const planned = planJob({
    jobId: 'fault-run',
    action,
    verify,
    eject: false,
    cardIds: cards.map(({ cardId }) => cardId),
  });
  return exitCodeOfJob(events.reduce((job, { at, event }) => advance(job, event, at), planned));
}
