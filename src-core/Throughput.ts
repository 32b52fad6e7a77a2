/** A measured point: `bytes` were done at `at` (milliseconds of a clock that never goes back). */
interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** How fast bytes were done lately. Plain data; made with {@link startThroughput}. */
export interface Throughput {
  readonly samples: readonly Sample[];
}

/** Long enough to smooth the bursts of a card's own cache, short enough to show a card that slows. */
const WINDOW_MS = 8000;
/** Points closer together than this replace each other, which bounds the memory. */
const SPACING_MS = 200;
/** No estimate before this much time was measured. */
const LEAST_MS = 1000;

export function startThroughput(now: number): Throughput {
  return { samples: [{ at: now, bytes: 0 }] };
}

/** Adds a point. Points back in time or with fewer bytes than the last one change nothing. */
export function measure(throughput: Throughput, bytes: number, now: number): Throughput {
  const { samples } = throughput;
  const last = samples.at(-1);
  const beforeLast = samples.at(-2);
  if (last !== undefined && (now < last.at || bytes <= last.bytes)) return throughput;
  const replaces =
    last !== undefined && beforeLast !== undefined && last.at - beforeLast.at < SPACING_MS;
  const kept = replaces ? samples.slice(0, -1) : samples;
  return { samples: [...recent(kept, now), { at: now, bytes }] };
}

/**
 * Bytes per second over the last eight seconds; null while too little was measured, 0 for a card on
 * which nothing has moved for that long.
 */
export function speedOf(throughput: Throughput, now: number): number | null {
  const samples = recent(throughput.samples, now);
  const first = samples.at(0);
  const last = samples.at(-1);
  if (first === undefined || last === undefined) return null;
  const elapsed = Math.max(now, last.at) - first.at;
  if (elapsed >= WINDOW_MS && last.bytes === first.bytes) return 0;
  if (elapsed < LEAST_MS || last.bytes === first.bytes) return null;
  return ((last.bytes - first.bytes) * 1000) / elapsed;
}

/** The points of the window, and the one before it as the anchor from which it is measured. */
function recent(samples: readonly Sample[], now: number): readonly Sample[] {
  const inside = samples.findIndex((sample) => sample.at >= now - WINDOW_MS);
  if (inside === -1) return samples.slice(-1);
  return samples.slice(Math.max(0, inside - 1));
}
