import type { ImageFormat } from '../../src-core/FlashEvent.ts';
import { SeededRandom } from '../support/SeededRandom.ts';
import type { DiskFault } from './FaultyBytes.ts';
import { IMAGE_BYTES } from './TestImages.ts';

const MIB = 1 << 20;

export type ImageFault =
  | { readonly kind: 'none' | 'hash-mismatch' | 'changed' }
  /** The file ends early, or one bit is wrong, at this part of it (0 to 1). */
  | { readonly kind: 'truncated' | 'bit-flipped'; readonly at: number };

export interface CardScenario {
  readonly cardId: string;
  /** Bytes. */
  readonly size: number;
  readonly blockSize: number;
  readonly fault: DiskFault;
}

/** One random run: an image, a few cards, and everything that goes wrong with them. */
export interface Scenario {
  readonly seed: number;
  readonly format: ImageFormat;
  readonly verify: boolean;
  readonly imageFault: ImageFault;
  readonly cards: readonly CardScenario[];
  /** Somebody cancels a card (or all, with null) after so many milliseconds. */
  readonly cancel: { readonly after: number; readonly cardId: string | null } | null;
}

export function makeScenario(seed: number): Scenario {
  const random = new SeededRandom(seed);
  const formats: readonly ImageFormat[] = ['raw', 'gzip', 'zstd', 'xz', 'bzip2', 'zip'];
  const count = 1 + random.integer(4);
  const cards = Array.from({ length: count }, (_, index) => cardScenario(index, random));
  const target = random.integer(count + 1);
  const cancelled = random.integer(8) === 0;
  return {
    seed,
    format: formats[random.integer(formats.length)] ?? 'raw',
    verify: random.integer(6) > 0,
    imageFault: imageFault(random),
    cards,
    cancel: cancelled ? { after: random.integer(40), cardId: cards[target]?.cardId ?? null } : null,
  };
}

function cardScenario(index: number, random: SeededRandom): CardScenario {
  const blockSize = random.integer(3) === 0 ? 4096 : 512;
  const spare = random.integer(3) === 0 ? 0 : random.integer(2 * MIB);
  const size = Math.ceil((IMAGE_BYTES + spare) / 4096) * 4096;
  return { cardId: `card-${String(index)}`, size, blockSize, fault: diskFault(size, random) };
}

function diskFault(size: number, random: SeededRandom): DiskFault {
  const operation = random.integer(18);
  switch (random.integer(12)) {
    case 0:
      return { kind: 'error', operation, code: 'EIO' };
    case 1:
      return { kind: 'error', operation, code: random.integer(2) === 0 ? 'EPERM' : 'ENOSPC' };
    case 2:
      return { kind: 'pulled', operation, presence: 'gone' };
    case 3:
      return { kind: 'pulled', operation, presence: 'no-medium' };
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
    default:
      return { kind: 'none' };
  }
}

function imageFault(random: SeededRandom): ImageFault {
  switch (random.integer(16)) {
    case 0:
      return { kind: 'hash-mismatch' };
    case 1:
      return { kind: 'changed' };
    case 2:
      return { kind: 'truncated', at: random.integer(1_000_000) / 1_000_000 };
    case 3:
      return { kind: 'bit-flipped', at: random.integer(1_000_000) / 1_000_000 };
    default:
      return { kind: 'none' };
  }
}
