import type { DecodePlan } from '../../src-image/ImageSource.ts';
import { SHARED_SLOTS } from './JobContext.ts';
import { SLOT_BYTES } from './Ring.ts';
import { decodeJobs } from './ThreadedReader.ts';

/** Slots between the decoder and the cards where decoding is one run of bytes. */
const STREAM_SLOTS = 16;

/** Most slots that decoding ahead on several threads may take. */
const PARALLEL_SLOTS = 128;

/** Slots that keep hashing and writing busy while threads decode ahead. */
const WORKING_SLOTS = 12;

/** How the memory of a job is shared out; its size depends on the image's shape, never on its length. */
export interface RingLayout {
  /** Slots in all. */
  readonly slots: number;
  readonly imageSlots: readonly number[];
  /** How many of them may hold bytes behind those of the earliest unfinished piece. */
  readonly aheadSlots: number;
  /** The read-back's slots, one list per card. */
  readonly cardSlots: readonly (readonly number[])[];
  /** Threads that decode. */
  readonly decoders: number;
  /** Reads or writes under way at a time, per card. */
  readonly depth: number;
}

/** @param cores processors of the machine */
export function ringLayout(plan: DecodePlan, cards: number, cores: number): RingLayout {
  const depth = cards <= 8 ? 4 : 2;
  const { decoders, ahead } = decodingAhead(plan, cores);
  // A card that stalls keeps what it has under way; the others must be able to go on without it.
  const imageCount =
    ahead + Math.max(decoders > 1 ? WORKING_SLOTS : STREAM_SLOTS, depth * cards + 4);
  let next = Object.keys(SHARED_SLOTS).length;
  const take = (count: number): number[] => Array.from({ length: count }, () => next++);
  const imageSlots = take(imageCount);
  const cardSlots = Array.from({ length: cards }, () => take(depth));
  return { slots: next, imageSlots, aheadSlots: ahead, cardSlots, decoders, depth };
}

/** Threads, and the slots they need to work ahead of the one whose bytes come next. */
function decodingAhead(plan: DecodePlan, cores: number): { decoders: number; ahead: number } {
  const jobs = decodeJobs(plan).length;
  if (jobs === 1) return { decoders: 1, ahead: 0 };
  const largest = Math.max(...plan.segments.map(({ outputSize }) => outputSize ?? Infinity));
  const perJob = Math.ceil(largest / SLOT_BYTES);
  const affordable = Math.floor(PARALLEL_SLOTS / perJob) + 1;
  const decoders = Math.max(1, Math.min(cores, jobs, affordable));
  return { decoders, ahead: (decoders - 1) * perJob };
}
