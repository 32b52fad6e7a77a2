/** Time as the engine sees it; tests pass their own. */
export interface Clock {
  /** Milliseconds that passed while the machine was awake. */
  now(): number;
  /** Milliseconds of the calendar, which go on while the machine sleeps. */
  wall(): number;
  /** Calls `tick` every `ms` until the returned function is called. */
  every(ms: number, tick: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  every(ms, tick) {
    const timer = setInterval(tick, ms);
    return () => {
      clearInterval(timer);
    };
  },
};
