import type { JobAction } from '../../src-core/FlashJob.ts';
import type { ImageFormat } from '../../src-core/FlashEvent.ts';
import { SeededRandom } from '../support/SeededRandom.ts';
import type { DiskFault } from './FaultyBytes.ts';
import { MAP_BLOCK } from './ImageMap.ts';
import { IMAGE_BYTES } from './TestImages.ts';
import type { ImageSize } from './TestImages.ts';

const MIB = 1 << 20;

export type ImageFault =
  | { readonly kind: 'none' | 'hash-mismatch' | 'changed' | 'map-differs' }
  /** The file ends early, or one bit is wrong, at this part of it (0 to 1). */
  | { readonly kind: 'truncated' | 'bit-flipped'; readonly at: number };

/** What a card holds before. */
export type OldContent = 'other-image' | 'zeros' | 'this-image';

export interface CardScenario {
  readonly cardId: string;
  /** Bytes. */
  readonly size: number;
  readonly blockSize: number;
  readonly holds: OldContent;
  /** The supervisor discarded what the block map leaves out, or so it believes. */
  readonly discarded: boolean;
  readonly fault: DiskFault;
}

/** The memory of the engine: as on a real machine, or as little as a job can live with. */
export type RingScenario =
  | { readonly kind: 'real' }
  | { readonly kind: 'tiny'; readonly depth: number; readonly spareSlots: number };

/** One random run: an image, a few cards, and everything that goes wrong with them. */
export interface Scenario {
  readonly seed: number;
  readonly action: JobAction;
  readonly size: ImageSize;
  readonly format: ImageFormat;
  /** The blocks of the image's map, of {@link MAP_BLOCK} bytes; null without one. */
  readonly map: readonly number[] | null;
  readonly verify: boolean;
  readonly imageFault: ImageFault;
  readonly ring: RingScenario;
  /** Milliseconds that hashing a slot, and checking one that was read back, takes. */
  readonly digest: { readonly update: number; readonly check: number };
  /** Milliseconds that opening the image, and each device, takes. */
  readonly opening: number;
  readonly cards: readonly CardScenario[];
  /** Somebody cancels a card (or all, with null) after so many milliseconds. */
  readonly cancel: { readonly after: number; readonly cardId: string | null } | null;
}

const FORMATS = [
  'raw',
  'gzip',
  'zstd',
  'xz',
  'bzip2',
  'zip',
] as const satisfies readonly ImageFormat[];

/** Larger images find more, and cost more. */
const SIZES = [
  'large',
  'large',
  'large',
  'whole',
  'emptyEnd',
  'mebibyte',
  'small',
] as const satisfies readonly ImageSize[];

export function makeScenario(seed: number): Scenario {
  const random = new SeededRandom(seed);
  const action = random.integer(5) === 0 ? 'verify' : 'flash';
  const size = pick(SIZES, random);
  const map = random.integer(4) === 0 ? imageMap(size, random) : null;
  const count = 1 + random.integer(4);
  const cards = Array.from({ length: count }, (_, index) =>
    cardScenario(index, action, size, random),
  );
  const target = random.integer(count + 1);
  const cancelled = random.integer(8) === 0;
  return {
    seed,
    action,
    size,
    format: pick(FORMATS, random),
    map,
    verify: random.integer(6) > 0,
    imageFault: imageFault(map, random),
    ring: ringScenario(random),
    // Now and then so slow that the card has been read back before the hash is known.
    digest: { update: random.integer(random.integer(4) > 0 ? 6 : 200), check: random.integer(6) },
    opening: random.integer(3) * 5,
    cards,
    cancel: cancelled ? { after: random.integer(80), cardId: cards[target]?.cardId ?? null } : null,
  };
}

/** Whether a format says how large the image is before it was decoded. */
export function tellsSize(format: ImageFormat): boolean {
  return format !== 'gzip' && format !== 'bzip2';
}

/** Bytes of an image, padded to whole blocks of the card that has the largest. */
export function paddedBytes(bytes: number, { cards }: Pick<Scenario, 'cards'>): number {
  const block = Math.max(...cards.map(({ blockSize }) => blockSize));
  return Math.ceil(bytes / block) * block;
}

function cardScenario(
  index: number,
  action: JobAction,
  image: ImageSize,
  random: SeededRandom,
): CardScenario {
  const blockSize = random.integer(3) === 0 ? 4096 : 512;
  const size = cardSize(IMAGE_BYTES[image], random);
  const old = random.integer(4) === 0 ? 'zeros' : 'other-image';
  return {
    cardId: `card-${String(index)}`,
    size,
    blockSize,
    holds: action === 'verify' && random.integer(4) > 0 ? 'this-image' : old,
    discarded: random.integer(2) === 0,
    fault: diskFault(size, random),
  };
}

/** Multiples of 4 KiB: mostly more than the image needs, often just that, sometimes less. */
function cardSize(image: number, random: SeededRandom): number {
  const needed = Math.ceil(image / 4096) * 4096;
  const kind = random.integer(60);
  if (kind === 0) return needed - 4096;
  if (kind === 1) return Math.ceil(image / 8192 / (1 + random.integer(3))) * 4096;
  return kind < 24 ? needed : needed + random.integer(512) * 4096;
}

function imageMap(image: ImageSize, random: SeededRandom): number[] {
  const blocks = [...Array(Math.ceil(IMAGE_BYTES[image] / MAP_BLOCK)).keys()];
  return blocks.filter(() => random.integer(3) > 0);
}

function ringScenario(random: SeededRandom): RingScenario {
  if (random.integer(3) === 0) return { kind: 'real' };
  return { kind: 'tiny', depth: 1 + random.integer(3), spareSlots: 1 + random.integer(2) };
}

function diskFault(size: number, random: SeededRandom): DiskFault {
  const operation = random.integer(18);
  switch (random.integer(13)) {
    case 0:
      return { kind: 'error', operation, code: 'EIO' };
    case 1:
      return { kind: 'error', operation, code: random.integer(2) === 0 ? 'EPERM' : 'ENOSPC' };
    case 2:
      return { kind: 'pulled', operation, presence: 'gone', cache: volatileCache(random) };
    case 3:
      return { kind: 'pulled', operation, presence: 'no-medium', cache: volatileCache(random) };
    case 4:
      return { kind: 'stall', operation };
    case 5:
      return { kind: 'slow', ms: 10 + random.integer(5_000) };
    case 6:
      return { kind: 'flipped', position: random.integer(size) };
    case 7:
      return { kind: 'counterfeit', bytes: (1 + random.integer(3)) * MIB };
    case 8:
      return { kind: 'forgetful', operation };
    case 9:
      return { kind: random.integer(2) === 0 ? 'never-closes' : 'none' };
    default:
      return { kind: 'none' };
  }
}

/** Which of the writes since the last flush survive: all, none, or any of them. */
function volatileCache(random: SeededRandom): number | null {
  const kind = random.integer(3);
  if (kind === 0) return null;
  return kind === 1 ? 0 : random.bits();
}

function imageFault(map: readonly number[] | null, random: SeededRandom): ImageFault {
  switch (random.integer(16)) {
    case 0:
      return { kind: 'hash-mismatch' };
    case 1:
      return { kind: 'changed' };
    case 2:
      return { kind: 'truncated', at: random.integer(1_000_000) / 1_000_000 };
    case 3:
      return { kind: 'bit-flipped', at: random.integer(1_000_000) / 1_000_000 };
    case 4:
      return { kind: map !== null && map.length > 0 ? 'map-differs' : 'none' };
    default:
      return { kind: 'none' };
  }
}

function pick<Choice>(choices: readonly [Choice, ...Choice[]], random: SeededRandom): Choice {
  return choices[random.integer(choices.length)] ?? choices[0];
}
