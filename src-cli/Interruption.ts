const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl+C, and its kin from other programs: the first asks the work to stop, the second ends at once. */
export class Interruption {
  readonly #asked = new AbortController();

  /** @param endAtOnce for whom asking was not enough */
  constructor(endAtOnce: () => void) {
    for (const signal of signals) {
      process.on(signal, () => {
        if (this.#asked.signal.aborted) endAtOnce();
        this.#asked.abort();
      });
    }
  }

  get signal(): AbortSignal {
    return this.#asked.signal;
  }

  /** The result of some work, or null if the interruption comes first. */
  async unless<Result>(work: Promise<Result>): Promise<Result | null> {
    const interrupted = new Promise<null>((resolve) => {
      this.onAsked(() => {
        resolve(null);
      });
    });
    return Promise.race([work, interrupted]);
  }

  /** Calls back once, at once if the interruption has been. */
  onAsked(react: () => void): void {
    if (this.signal.aborted) react();
    else this.signal.addEventListener('abort', react, { once: true });
  }
}
