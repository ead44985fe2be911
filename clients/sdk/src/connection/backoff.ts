const firstMs = 200;
const maxMs = 5_000;
const firstPatienceMs = 3_000;
const patienceMaxMs = 10_000;

/**
 * Waits between attempts to connect: doubled each time up to five seconds, and spread over the whole
 * span, so that a thousand clients of a server that restarts do not come back in one instant.
 */
export class Backoff {
  #attempts = 0;
  readonly #random: () => number;

  /** `random` gives numbers from 0 (inclusive) to 1 (exclusive). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Milliseconds to wait now. `wishMs`: what the server asked for. */
  next(wishMs = 0): number {
    const spanMs = Math.min(maxMs, firstMs * 2 ** this.#attempts);
    this.#attempts = Math.min(this.#attempts + 1, 20);
    return wishMs + Math.floor(spanMs * this.#random());
  }

  /**
   * How long the coming attempt may take until the server has greeted, ms. Short at first: whoever balances may have
   * put the connection where nobody answers any more. Doubled with each attempt, for lines and servers that are slow.
   */
  get patienceMs(): number {
    return Math.min(patienceMaxMs, firstPatienceMs * 2 ** Math.max(0, this.#attempts - 1));
  }

  reset(): void {
    this.#attempts = 0;
  }
}
