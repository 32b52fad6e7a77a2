import { fail } from '../../src-core/Failure.ts';
import { BmapMapper, requireImageSize } from '../../src-image/blockmap/BmapMapper.ts';
import type { Bmap } from '../../src-image/blockmap/Bmap.ts';
import { planDecode } from '../../src-image/DecodePlan.ts';
import { checkImageHead, promisedSize, readImageHead } from '../../src-image/ImageHead.ts';
import type { DecodePlan, ImageFile } from '../../src-image/ImageSource.ts';
import type { EngineImage } from '../../src-writer/engine/EngineJob.ts';
import { SHARED_SLOTS } from '../../src-writer/engine/JobContext.ts';
import { ringLayout } from '../../src-writer/engine/RingLayout.ts';
import type { RingLayout } from '../../src-writer/engine/RingLayout.ts';
import type { FakeClock } from './FakeClock.ts';
import { InlineReader } from './InlineReader.ts';
import type { RingScenario, Scenario } from './Scenario.ts';
import { TimedDigester } from './TimedDigester.ts';

/** Cores of the machine that the real layout is made for. */
const CORES = 2;

export interface InlineImage {
  readonly file: ImageFile;
  readonly bmap: Bmap | null;
  readonly scenario: Scenario;
  readonly clock: FakeClock;
  /** Called with what decodes the image, once that begins. */
  readonly onReader: (reader: InlineReader) => void;
}

/** An image in memory, decoded and hashed on this thread, as the engine opens it. */
export async function openInlineImage(image: InlineImage): Promise<EngineImage> {
  const { file, bmap, scenario, clock } = image;
  clock.busy += 1;
  try {
    const plan = planDecode(file);
    const head = await readImageHead(file, plan);
    const table = checkImageHead(head, plan.size, file.path, false);
    if (bmap !== null && plan.size !== null) requireImageSize(bmap, plan.size);
    return {
      fileSize: file.size,
      plan,
      leastSize: promisedSize(table),
      mapper: bmap === null ? null : new BmapMapper(bmap),
      decode: (ring, { imageSlots }) => {
        // Nobody promised that the place for the first MiB holds zeros.
        ring.view(SHARED_SLOTS.head).fill(0xdd);
        const reader = new InlineReader(file, plan, ring, imageSlots, clock);
        image.onReader(reader);
        return reader;
      },
      digest: (ring) => new TimedDigester(ring, bmap, clock, scenario.digest),
      checkUnchanged: () =>
        scenario.imageFault.kind === 'changed'
          ? Promise.reject(fail('image-changed', { path: file.path }))
          : Promise.resolve(),
      close: () => undefined,
    };
  } finally {
    clock.busy -= 1;
  }
}

/** The engine's memory: a tiny one has just enough slots for every card but one to stall. */
export function layoutOf(ring: RingScenario, plan: DecodePlan, cards: number): RingLayout {
  if (ring.kind === 'real') return ringLayout(plan, cards, CORES);
  const { depth, spareSlots } = ring;
  let next = Object.keys(SHARED_SLOTS).length;
  const take = (count: number): number[] => Array.from({ length: count }, () => next++);
  const imageSlots = take(depth * (cards - 1) + spareSlots);
  const cardSlots = Array.from({ length: cards }, () => take(depth));
  return { slots: next, imageSlots, aheadSlots: 0, cardSlots, decoders: 1, depth };
}
