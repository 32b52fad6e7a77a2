/** Counts who still needs a slot: the digest and every card that has to write it. */
export class SlotLease {
  #holders: number;
  readonly #free: () => void;

  constructor(holders: number, free: () => void) {
    this.#holders = holders;
    this.#free = free;
  }

  done(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#free();
  }
}
