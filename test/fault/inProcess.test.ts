import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../../src-core/Failure.ts';
import type { Failure } from '../../src-core/Failure.ts';
import type { FlashEvent } from '../../src-core/FlashEvent.ts';
import { encodeMarker } from '../../src-writer/engine/UnfinishedMarker.ts';
import { CardContent } from './CardContent.ts';
import { CardModel } from './CardModel.ts';
import type { Expectation } from './CardModel.ts';
import { FakeClock } from './FakeClock.ts';
import type { FakeDisk } from './FakeDisk.ts';
import type { DiskFault } from './FaultyBytes.ts';
import { contentBefore, damaged, runScenario } from './FaultRun.ts';
import type { FaultRunResult } from './FaultRun.ts';
import { makeScenario, paddedBytes, tellsSize } from './Scenario.ts';
import type { CardScenario, Scenario } from './Scenario.ts';
import { makeTestImages } from './TestImages.ts';
import type { TestImage, TestImages } from './TestImages.ts';

const FIRST_SEED = Number(process.env['BOXWRIGHT_FAULT_SEED'] ?? 1);
const RUNS = Number(process.env['BOXWRIGHT_FAULT_RUNS'] ?? 1000);
/** Runs of one test: small enough to see where the time goes, large enough to be readable. */
const PER_TEST = 50;

/** Ends of a card that no full run of this suite may lack: one that never happens is not tested. */
const WANTED = [
  ...['cancelled', 'card-counterfeit', 'card-lost', 'card-stalled', 'disk-full', 'different'],
  ...['block-map-range-differs', 'image-changed', 'image-corrupt', 'image-hash-mismatch'],
  ...['image-too-large', 'image-truncated', 'read-back-differs', 'read-failed', 'reader-lost'],
  ...['unverified', 'verified', 'write-failed', 'write-protected', 'old-data-remains'],
];

type CardEvent = Extract<FlashEvent, { type: 'card' }>;

let images: TestImages;
const outcomes = new Map<string, number>();

beforeAll(() => {
  images = makeTestImages(FIRST_SEED);
});

afterAll(() => {
  const counts = [...outcomes].sort().map(([code, count]) => `${code} ${String(count)}`);
  process.stdout.write(`outcomes of ${String(RUNS)} runs: ${counts.join(', ')}\n`);
});

describe(`faults on fake disks and a fake clock, from seed ${String(FIRST_SEED)}`, () => {
  for (let first = FIRST_SEED; first < FIRST_SEED + RUNS; first += PER_TEST) {
    const last = Math.min(first + PER_TEST, FIRST_SEED + RUNS) - 1;
    it(`seeds ${String(first)} to ${String(last)}`, { timeout: 120_000 }, async () => {
      for (let seed = first; seed <= last; seed += 1) await checkSeed(seed);
    });
  }

  it('a card that was read back before the image was hashed is not finished before', async () => {
    const scenario: Scenario = {
      ...makeScenario(FIRST_SEED),
      ...{ action: 'flash', size: 'emptyEnd', format: 'raw', map: null, verify: true },
      ...{
        imageFault: { kind: 'hash-mismatch' },
        digest: { update: 5000, check: 0 },
        cancel: null,
      },
      cards: [1, 2].map((number) => ({
        ...{ cardId: `card-${String(number)}`, size: 8 << 20, blockSize: 512, discarded: false },
        ...{ holds: 'other-image', fault: { kind: 'none' } },
      })),
    };
    const { events } = await checkScenario(scenario);
    const phases = events.flatMap(({ event }) => (event.type === 'phase' ? [event.phase] : []));
    expect(phases.filter((phase) => phase === 'verifying')).toHaveLength(2);
    expect(phases).not.toContain('finishing');
  });

  // A shorter run proves what it meets; only a long one must meet everything.
  if (RUNS >= 1000) {
    it('every end of a card that is tested here came up', () => {
      expect(WANTED.filter((outcome) => !outcomes.has(outcome))).toEqual([]);
    });
  }
});

async function checkSeed(seed: number): Promise<void> {
  await checkScenario(makeScenario(seed));
}

async function checkScenario(scenario: Scenario): Promise<FaultRunResult> {
  const context = JSON.stringify(scenario);
  const result = await runScenario(scenario, images).catch((cause: unknown) => {
    throw new Error(context, { cause });
  });
  checkStream(scenario, result, context);
  for (const [index, card] of scenario.cards.entries()) {
    checkCard(scenario, card, index, result, context);
  }
  checkSlots(result, context);
  checkExitCode(scenario, result, context);
  return result;
}

/** What holds for the job as a whole: one verdict a card, nothing afterwards, and an end. */
function checkStream(scenario: Scenario, { events }: FaultRunResult, context: string): void {
  const kinds = events.map(({ event }) => event.type);
  expect(kinds.at(-1), context).toBe('end');
  expect(kinds.filter((kind) => kind === 'end').length, context).toBe(1);
  for (const { cardId } of scenario.cards) {
    const own = events.filter(({ event }) => 'cardId' in event && event.cardId === cardId);
    expect(own.filter(({ event }) => event.type === 'card').length, context).toBe(1);
    expect(own.at(-1)?.event.type, context).toBe('card');
  }
  expect(kinds.lastIndexOf('card'), context).toBe(kinds.length - 2);
  const hashed = events.flatMap(({ event }) => (event.type === 'hashed' ? [event.sha256] : []));
  const { kind } = scenario.imageFault;
  if (kind === 'truncated' || kind === 'bit-flipped') return;
  for (const sha256 of hashed) expect(sha256, context).toBe(imageOf(scenario).sha256);
}

/** The memory between decoder and cards: nothing is used that was given back, and nothing is kept. */
function checkSlots({ events, disks, reader }: FaultRunResult, context: string): void {
  for (const disk of disks) expect(disk.disturbed, context).toBe(0);
  if (reader === null) return;
  expect(reader.releasedTwice, context).toBe(0);
  const wasFed = events.some(({ event }) => event.type === 'hashed');
  const underWay = disks.reduce((sum, disk) => sum + disk.underWay, 0);
  if (wasFed) expect(reader.held, context).toBeLessThanOrEqual(underWay);
}

function checkCard(
  scenario: Scenario,
  card: CardScenario,
  index: number,
  result: FaultRunResult,
  context: string,
): void {
  const own = result.events.filter(
    ({ event }) => 'cardId' in event && event.cardId === card.cardId,
  );
  const phases = own.flatMap(({ event }) => (event.type === 'phase' ? [event.phase] : []));
  const [verdict] = own.flatMap(({ event }) => (event.type === 'card' ? [event] : []));
  const disk = result.disks[index];
  if (verdict === undefined || disk === undefined) throw new Error(`no verdict: ${context}`);
  count(verdict);

  const expected = model(scenario, card);
  if (!isLeftOpen(scenario, card, verdict, expected)) {
    const { condition, failure, oldDataRemains } = verdict;
    expect({ phases, condition, failure, oldDataRemains }, context).toEqual({
      phases: expected.phases,
      condition: expected.condition,
      failure: expected.failure,
      oldDataRemains: expected.oldDataRemains,
    });
    if (failure === null) {
      expect(verdict.bytesWritten, context).toBe(expected.bytesWritten);
      expect(verdict.bytesVerified, context).toBe(expected.bytesVerified);
    }
  }
  checkContent(scenario, card, verdict, disk, context);
  expect(disk.closings, context).toBe(disk.opened > 0 && disk.underWay === 0 ? 1 : 0);
  // Whoever hears that a card is done ejects it, which needs a closed device; but one that never
  // closes has kept what was flushed, and is as good as any other.
  if (verdict.failure === null && card.fault.kind !== 'never-closes') {
    expect(disk.wasClosedWhenTold, context).toBe(true);
  }
  checkTimes(scenario, card, verdict, disk, own.at(-1)?.at ?? Infinity, context);
}

function count({ failure, condition, oldDataRemains }: CardEvent): void {
  const names: string[] = [failure?.code ?? condition];
  if (condition === 'different') names.push(condition);
  if (oldDataRemains) names.push('old-data-remains');
  for (const name of names) outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
}

/** Where chance decides which of two truths is told first; what must hold then is checked here. */
function isLeftOpen(
  scenario: Scenario,
  card: CardScenario,
  verdict: CardEvent,
  expected: Expectation,
): boolean {
  const { imageFault, cancel } = scenario;
  const code = verdict.failure?.code ?? null;
  const isCancelled = cancel !== null && (cancel.cardId ?? card.cardId) === card.cardId;
  if (imageFault.kind === 'truncated' || imageFault.kind === 'bit-flipped') {
    if (code === 'cancelled') return isCancelled;
    return verdict.condition !== 'verified' || expected.condition === 'verified';
  }
  if (code === 'cancelled') return isCancelled;
  // The image is found bad while the card still works on it: either failure is the first to be told.
  return expected.endsUnapproved && isOfImage(code) && isUnchanged(verdict.condition);
}

/** Nothing of the card's first MiB was written that would make it more than a failed one. */
function isUnchanged(condition: CardEvent['condition']): boolean {
  return condition === 'untouched' || condition === 'unfinished';
}

function isOfImage(code: string | null): boolean {
  return code !== null && (code.startsWith('image-') || code.startsWith('block-map-'));
}

function imageOf({ size }: Scenario): TestImage {
  return images[size];
}

function model(scenario: Scenario, card: CardScenario): Expectation {
  const tooLarge = knownTooLarge(scenario);
  if (tooLarge !== null) {
    return {
      ...{ phases: [], condition: 'untouched', failure: tooLarge, oldDataRemains: false },
      ...{ bytesWritten: 0, bytesVerified: 0, endsUnapproved: false },
    };
  }
  const isHashed = scenario.imageFault.kind === 'hash-mismatch';
  const opened = scenario.opening * (1 + scenario.cards.length);
  const marker = encodeMarker({
    jobId: 'fault-run',
    started: new Date(new FakeClock().wall() + opened).toISOString(),
    imageSha256: isHashed ? '0'.repeat(64) : null,
  });
  return new CardModel(scenario, card, {
    image: imageOf(scenario).raw,
    before: contentBefore(scenario, card, images),
    marker,
    imageFailure: imageFailure(scenario),
  }).expect();
}

/** An image whose size is known is too large for all cards if it is for one: none is touched. */
function knownTooLarge(scenario: Scenario): Failure | null {
  if (!tellsSize(scenario.format)) return null;
  const imageBytes = paddedBytes(imageOf(scenario).raw.length, scenario);
  const driveBytes = Math.min(...scenario.cards.map(({ size }) => size));
  return imageBytes > driveBytes ? failure('image-too-large', { imageBytes, driveBytes }) : null;
}

function imageFailure(scenario: Scenario): Failure | null {
  const { imageFault, map } = scenario;
  switch (imageFault.kind) {
    case 'changed':
      return failure('image-changed', { path: 'card.img' });
    case 'hash-mismatch':
      return failure('image-hash-mismatch', {
        expected: '0'.repeat(64),
        actual: imageOf(scenario).sha256,
      });
    case 'map-differs': {
      const [first = 0, ...others] = map ?? [];
      const last = others.reduce((end, block) => (block === end + 1 ? block : end), first);
      return failure('block-map-range-differs', {
        ...{ path: 'card.bmap', firstBlock: first, lastBlock: last },
      });
    }
    default:
      return null;
  }
}

/** What the verdict says of the card must be so, byte for byte. */
function checkContent(
  scenario: Scenario,
  card: CardScenario,
  verdict: CardEvent,
  disk: FakeDisk,
  context: string,
): void {
  const before = contentBefore(scenario, card, images);
  const content = new CardContent(scenario, writtenImage(scenario), before, disk.content.bytes);
  const { fault } = card;
  const isHonest = fault.kind !== 'counterfeit' && fault.kind !== 'forgetful';
  if (scenario.action === 'verify') {
    expect(disk.writes, context).toBe(0);
    expect(content.isUnchanged, context).toBe(true);
    expect(['untouched', 'verified', 'different'], context).toContain(verdict.condition);
    if (verdict.condition === 'verified') expect(content.holdsImage, context).toBe(true);
    return;
  }
  switch (verdict.condition) {
    case 'verified':
      // One with less memory than it claims may be large enough for the image all the same.
      if (fault.kind === 'counterfeit') expect(content.holdsImage, context).toBe(true);
      else expect(content.difference, context).toBeNull();
      break;
    case 'unverified':
      if (verdict.failure === null && isHonest) expect(content.difference, context).toBeNull();
      // It may be whole or not; what it must never do is to boot with a part of the image.
      else if (isHonest)
        expect(content.isMarked || content.difference === null, context).toBe(true);
      break;
    case 'unfinished':
      if (fault.kind === 'counterfeit') break;
      expect(
        content.isMarked || (mayKeepHead(fault, verdict) && content.isBeforeImage),
        context,
      ).toBe(true);
      expect(content.keepsTail && !content.isBeforeImage, context).toBe(false);
      break;
    case 'untouched':
      expect(content.isUnchanged, context).toBe(true);
      break;
    case 'different':
      throw new Error(`nothing was compared: ${context}`);
  }
}

/**
 * A card counts as unfinished as soon as its first write was asked for: the fault may strike before
 * the marker is safe, and a cancellation does not wait longer than a second for it.
 */
function mayKeepHead(fault: DiskFault, { bytesWritten }: CardEvent): boolean {
  if (fault.kind === 'slow') return fault.ms >= 1000 && bytesWritten === 0;
  return 'operation' in fault && fault.operation <= 2;
}

/** Nobody can tell that an image without compression and without a hash was damaged before. */
function writtenImage(scenario: Scenario): Uint8Array {
  return scenario.format === 'raw' ? damaged(scenario, images) : imageOf(scenario).raw;
}

/** A dead device is told within 5 s, any fault within 35 s, and a cancelled card ends within 2 s. */
function checkTimes(
  { action, cancel }: Scenario,
  { cardId, fault }: CardScenario,
  verdict: CardEvent,
  { struckAt }: FakeDisk,
  endedAt: number,
  context: string,
): void {
  const { failure } = verdict;
  if (cancel !== null && (cancel.cardId ?? cardId) === cardId) {
    expect(endedAt, context).toBeLessThanOrEqual(cancel.after + 2_000);
    if (endedAt > cancel.after) expect(failure, context).not.toBeNull();
  }
  const isLoss = failure?.code === 'reader-lost' || failure?.code === 'card-lost';
  // What a comparison finds it tells when the image is at its end, as fast as the slowest card.
  const isFound = action === 'verify' && failure?.code === 'read-back-differs';
  if (failure === null || struckAt === null || fault.kind === 'slow' || isFound) return;
  expect(endedAt - struckAt, context).toBeLessThanOrEqual(isLoss ? 5_000 : 35_000);
}

function checkExitCode(scenario: Scenario, result: FaultRunResult, context: string): void {
  const verdicts = result.events.flatMap(({ event }) => (event.type === 'card' ? [event] : []));
  const codes = verdicts.map((verdict) => verdict.failure?.code ?? null);
  const isUnverified = scenario.action === 'flash' && !scenario.verify;
  const expected = codes.includes('cancelled')
    ? 3
    : codes.some((code) => code !== null)
      ? 1
      : isUnverified
        ? 4
        : 0;
  expect(result.exitCode, context).toBe(expected);
}
