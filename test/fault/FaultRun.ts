import type { EngineOrder } from '../../src-contract/WriterWire.ts';
import { exitCodeOfJob } from '../../src-core/ExitCode.ts';
import type { ExitCode } from '../../src-core/ExitCode.ts';
import type { FlashEvent } from '../../src-core/FlashEvent.ts';
import { advance, planJob } from '../../src-core/FlashJob.ts';
import { EngineJob } from '../../src-writer/engine/EngineJob.ts';
import { FakeClock } from './FakeClock.ts';
import { FakeDisk } from './FakeDisk.ts';
import { memoryFile } from './TestImages.ts';
import type { TestImages } from './TestImages.ts';
import { openInlineImage } from './InlineEngine.ts';
import type { Scenario } from './Scenario.ts';

/** Longer than any run takes in fake time, in milliseconds. */
const HUNG_AFTER = 600_000;

export interface TimedEvent {
  /** Milliseconds of fake time. */
  readonly at: number;
  readonly event: FlashEvent;
}

export interface FaultRunResult {
  readonly events: readonly TimedEvent[];
  readonly disks: readonly FakeDisk[];
  readonly exitCode: ExitCode;
}

/** Runs the real engine over fake disks, a fake clock and one scenario. */
export async function runScenario(scenario: Scenario, images: TestImages): Promise<FaultRunResult> {
  const clock = new FakeClock();
  const disks = scenario.cards.map(
    ({ size, blockSize, fault }) => new FakeDisk(size, blockSize, fault, clock),
  );
  const events: TimedEvent[] = [];
  const order = orderOf(scenario);
  const job = new EngineJob(order, {
    clock,
    cores: 2,
    emit: (event) => events.push({ at: clock.now(), event }),
    openImage: () => {
      const file = memoryFile(damaged(scenario, images));
      return openInlineImage(file, scenario.imageFault.kind === 'changed', clock);
    },
    openDevice: ({ cardId }) => {
      const disk = disks[scenario.cards.findIndex((card) => card.cardId === cardId)];
      if (disk === undefined) throw new Error(`no disk for ${cardId}`);
      return Promise.resolve(disk);
    },
  });
  const { cancel } = scenario;
  if (cancel !== null) {
    void clock.after(cancel.after).then(() => {
      job.cancel(cancel.cardId);
    });
  }
  await clock.drive(job.run(), HUNG_AFTER);
  return { events, disks, exitCode: exitCodeOf(scenario, events) };
}

/** The image file of a scenario, with its fault. */
export function damaged({ format, imageFault }: Scenario, images: TestImages): Uint8Array {
  const bytes = images.encoded[format];
  if (imageFault.kind === 'truncated') {
    return bytes.slice(0, Math.max(1, Math.floor(bytes.length * imageFault.at)));
  }
  if (imageFault.kind !== 'bit-flipped') return bytes;
  const flipped = new Uint8Array(bytes);
  const at = Math.floor(bytes.length * imageFault.at);
  flipped[at] = (flipped[at] ?? 0) ^ 0x04;
  return flipped;
}

function orderOf({ cards, verify, imageFault }: Scenario): EngineOrder {
  return {
    jobId: 'fault-run',
    action: 'flash',
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
    targets: cards.map(({ cardId, size, blockSize }) => ({
      cardId,
      name: cardId,
      device: { kind: 'raw-path', path: `/${cardId}` },
      size,
      logicalBlockSize: blockSize,
      discarded: false,
    })),
    verify,
  };
}

function exitCodeOf({ cards, verify }: Scenario, events: readonly TimedEvent[]): ExitCode {
  const planned = planJob({
    jobId: 'fault-run',
    action: 'flash',
    verify,
    eject: false,
    cardIds: cards.map(({ cardId }) => cardId),
  });
  return exitCodeOfJob(events.reduce((job, { at, event }) => advance(job, event, at), planned));
}
