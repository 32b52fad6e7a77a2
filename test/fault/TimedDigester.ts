import { crc32 } from 'node:zlib';
import type { Bmap } from '../../src-image/blockmap/Bmap.ts';
import { ImageDigest } from '../../src-writer/engine/ImageDigest.ts';
import type { Digester, SlotRange } from '../../src-writer/engine/ImageDigest.ts';
import type { Ring } from '../../src-writer/engine/Ring.ts';
import type { FakeClock } from './FakeClock.ts';
import type { Scenario } from './Scenario.ts';

/**
 * A digest that takes the fake clock's time, and one thing after the other, like the thread it stands
 * for: a slot must stay as it is until its turn is over.
 */
export class TimedDigester implements Digester {
  readonly #digest: ImageDigest;
  readonly #ring: Ring;
  readonly #clock: FakeClock;
  /** Milliseconds. */
  readonly #times: Scenario['digest'];
  #last: Promise<unknown> = Promise.resolve();

  constructor(ring: Ring, bmap: Bmap | null, clock: FakeClock, times: Scenario['digest']) {
    this.#ring = ring;
    this.#digest = new ImageDigest(bmap);
    this.#clock = clock;
    this.#times = times;
  }

  update(slot: number, length: number, ranges: readonly SlotRange[]): Promise<number[]> {
    return this.#inTurn(this.#times.update, () =>
      this.#digest.update(this.#ring.view(slot), length, ranges),
    );
  }

  /** Not in turn: what was read back does not wait for an image that is still being hashed. */
  async check(slot: number, length: number): Promise<number> {
    if (this.#times.check > 0) await this.#clock.after(this.#times.check);
    return crc32(this.#ring.view(slot, length));
  }

  finish(): Promise<string> {
    return this.#inTurn(0, () => this.#digest.finish());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #inTurn<Answer>(ms: number, answer: () => Answer): Promise<Answer> {
    const turn = this.#last.then(async () => {
      if (ms > 0) await this.#clock.after(ms);
      return answer();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
