import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src-writer/engine/Clock.ts';

interface Appointment {
  at: number;
  readonly run: () => void;
  /** Milliseconds between repetitions; null for once. */
  readonly period: number | null;
}

/** Turns of the event loop without anything new before time moves on. */
const QUIET_TURNS = 3;

/** Time that only moves when nothing else can happen, and then straight to the next appointment. */
export class FakeClock implements Clock {
  #now = 1_000;
  #slept = 0;
  readonly #appointments = new Set<Appointment>();
  /** Work outside the clock (decompression on the thread pool) that must end before time moves. */
  busy = 0;

  now(): number {
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now + this.#slept;
  }

  every(ms: number, tick: () => void): () => void {
    const appointment = { at: this.#now + ms, run: tick, period: ms };
    this.#appointments.add(appointment);
    return () => this.#appointments.delete(appointment);
  }

  /** Resolves once `ms` have passed. */
  after(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#appointments.add({ at: this.#now + ms, run: resolve, period: null });
    });
  }

  /** The machine sleeps: the calendar goes on, the monotonic clock does not. */
  sleep(seconds: number): void {
    this.#slept += seconds * 1000;
  }

  /**
   * Lets time pass until `done` settles.
   * @param limit milliseconds of fake time after which the run counts as hung
   */
  async drive(done: Promise<void>, limit: number): Promise<void> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    done.then(settle, settle);
    const end = this.#now + limit;
    let quiet = 0;
    for (;;) {
      await setImmediate();
      // Turned by the promise above while this function waited.
      if (settled as boolean) break;
      quiet = this.busy > 0 ? 0 : quiet + 1;
      if (quiet < QUIET_TURNS) continue;
      quiet = 0;
      if (this.#now > end) throw new Error(`hung: ${String(limit)} ms of fake time went by`);
      this.#advance();
    }
    await done;
  }

  #advance(): void {
    const [next] = [...this.#appointments].sort((one, other) => one.at - other.at);
    if (next === undefined) throw new Error('hung: nothing will ever happen again');
    this.#now = Math.max(this.#now, next.at);
    if (next.period === null) this.#appointments.delete(next);
    else next.at = this.#now + next.period;
    next.run();
  }
}
