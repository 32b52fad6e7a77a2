import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../../src-core/Failure.ts';
import type { Failure } from '../../src-core/Failure.ts';
import type { FlashEvent } from '../../src-core/FlashEvent.ts';
import { decodeMarker, encodeMarker } from '../../src-writer/engine/UnfinishedMarker.ts';
import { CardModel } from './CardModel.ts';
import type { Expectation } from './CardModel.ts';
import { damaged, runScenario } from './FaultRun.ts';
import type { FaultRunResult } from './FaultRun.ts';
import { makeScenario } from './Scenario.ts';
import type { CardScenario, Scenario } from './Scenario.ts';
import { makeTestImages } from './TestImages.ts';
import type { TestImages } from './TestImages.ts';

const MIB = 1 << 20;
const FIRST_SEED = Number(process.env['BOXWRIGHT_FAULT_SEED'] ?? 1);
const RUNS = Number(process.env['BOXWRIGHT_FAULT_RUNS'] ?? 1000);
/** Runs of one test: small enough to see where the time goes, large enough to be readable. */
const PER_TEST = 50;

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
      for (let seed = first; seed <= last; seed += 1) {
        const scenario = makeScenario(seed);
        const result = await runScenario(scenario, images);
        const context = JSON.stringify(scenario);
        checkStream(scenario, result, context);
        for (const [index, card] of scenario.cards.entries()) {
          checkCard(scenario, card, index, result, context);
        }
        checkExitCode(scenario, result, context);
      }
    });
  }
});

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
  const hashed = events.flatMap(({ event }) => (event.type === 'hashed' ? [event.sha256] : []));
  if (scenario.imageFault.kind === 'none') {
    for (const sha256 of hashed) expect(sha256, context).toBe(images.sha256);
  }
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
  const code = verdict.failure?.code ?? verdict.condition;
  outcomes.set(code, (outcomes.get(code) ?? 0) + 1);

  const expected = model(scenario, card);
  if (!isLeftOpen(scenario, verdict, expected)) {
    expect({ phases, condition: verdict.condition, failure: verdict.failure }, context).toEqual(
      expected,
    );
  }
  checkContent(scenario, card, verdict, disk.content.bytes, context);
  const reported = own.at(-1)?.at ?? Infinity;
  const limit = verdict.failure !== null && isLoss(verdict.failure) ? 5_000 : 35_000;
  const isFaulty = verdict.failure !== null && card.fault.kind !== 'slow';
  if (isFaulty && disk.struckAt !== null) {
    expect(reported - disk.struckAt, context).toBeLessThanOrEqual(limit);
  }
}

/** Where chance decides which of two truths is told first; what must hold then is checked here. */
function isLeftOpen(scenario: Scenario, verdict: CardEvent, expected: Expectation): boolean {
  const { imageFault, cancel } = scenario;
  const code = verdict.failure?.code ?? null;
  if (imageFault.kind === 'truncated' || imageFault.kind === 'bit-flipped') {
    return verdict.condition !== 'verified' || expected.condition === 'verified';
  }
  if (code === 'cancelled') return cancel !== null;
  if (cancel?.cardId === null) return expected.condition !== 'verified' || code === null;
  // The image is found bad while the card still writes: either failure is the first to be told.
  return expected.phases.length === 2 && (code?.startsWith('image-') ?? false);
}

function model(scenario: Scenario, card: CardScenario): Expectation {
  const block = Math.max(...scenario.cards.map(({ blockSize }) => blockSize));
  const padded = new Uint8Array(Math.ceil(images.raw.length / block) * block);
  padded.set(images.raw);
  const marker = new Uint8Array(MIB);
  marker.set(
    encodeMarker({ jobId: 'fault-run', started: '2023-11-14T22:13:21.000Z', imageSha256: null }),
  );
  if (scenario.imageFault.kind === 'hash-mismatch') {
    const imageSha256 = '0'.repeat(64);
    marker.set(
      encodeMarker({ jobId: 'fault-run', started: '2023-11-14T22:13:21.000Z', imageSha256 }),
    );
  }
  return new CardModel(scenario, card, padded, marker, imageFailure(scenario)).expect();
}

function imageFailure({ imageFault }: Scenario): Failure | null {
  switch (imageFault.kind) {
    case 'changed':
      return failure('image-changed', { path: 'card.img' });
    case 'hash-mismatch':
      return failure('image-hash-mismatch', { expected: '0'.repeat(64), actual: images.sha256 });
    default:
      return null;
  }
}

function isLoss({ code }: Failure): boolean {
  return code === 'reader-lost' || code === 'card-lost';
}

/** What the verdict says of the card must be so, byte for byte. */
function checkContent(
  scenario: Scenario,
  card: CardScenario,
  verdict: CardEvent,
  bytes: Uint8Array,
  context: string,
): void {
  const { fault } = card;
  switch (verdict.condition) {
    case 'verified':
    case 'unverified':
      if (fault.kind === 'none' || fault.kind === 'slow' || verdict.condition === 'verified') {
        if (verdict.failure === null) checkImage(imageOf(scenario), bytes, context);
      }
      break;
    case 'unfinished':
      if (fault.kind === 'counterfeit') break;
      expect(
        bytes.subarray(0, 512).some((byte) => byte === 0x55 || byte === 0xaa),
        context,
      ).toBe(false);
      if ('operation' in fault && fault.operation === 0) break;
      // A cancelled card does not wait for a write that is under way.
      if (fault.kind === 'slow' && verdict.bytesWritten === 0) break;
      expect(decodeMarker(bytes)?.jobId, context).toBe('fault-run');
      break;
    case 'untouched':
      expect(
        bytes.every((byte) => byte === 0xa5),
        context,
      ).toBe(true);
      break;
    case 'different':
      throw new Error(`nothing was compared: ${context}`);
  }
}

/** Nobody can tell that an image without compression and without a hash was damaged before. */
function imageOf(scenario: Scenario): Uint8Array {
  return scenario.format === 'raw' ? damaged(scenario, images) : images.raw;
}

function checkImage(image: Uint8Array, bytes: Uint8Array, context: string): void {
  expect(Buffer.compare(bytes.subarray(0, image.length), image), context).toBe(0);
  expect(
    bytes.subarray(-512).every((byte) => byte === 0),
    context,
  ).toBe(true);
}

function checkExitCode(scenario: Scenario, result: FaultRunResult, context: string): void {
  const verdicts = result.events.flatMap(({ event }) => (event.type === 'card' ? [event] : []));
  const codes = verdicts.map((verdict) => verdict.failure?.code ?? null);
  const expected = codes.includes('cancelled')
    ? 3
    : codes.some((code) => code !== null)
      ? 1
      : scenario.verify
        ? 0
        : 4;
  expect(result.exitCode, context).toBe(expected);
}
