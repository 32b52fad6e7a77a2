import type { FlashEvent } from '../../src-core/FlashEvent.ts';
import type { Clock } from './Clock.ts';
import type { Digester } from './ImageDigest.ts';
import type { Ring } from './Ring.ts';
import type { Manifest } from './Manifest.ts';

/** Slots of the ring that the whole job shares; the rest belongs to the image and the read-back. */
export const SHARED_SLOTS = {
  /** The image's first MiB, kept until the end. */
  head: 0,
  /** What stands in its place meanwhile: zeros and the unfinished marker. */
  marker: 1,
  /** Never written: zeros. */
  zeros: 2,
} as const;

/** What every card of a job works with. */
export interface JobContext {
  readonly ring: Ring;
  readonly digester: Digester;
  readonly manifest: Manifest;
  readonly clock: Clock;
  readonly emit: (event: FlashEvent) => void;
  /** Reads or writes under way at a time, per card. */
  readonly depth: number;
}
