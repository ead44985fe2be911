const firstMs = 200;
const maxMs = 5_000;

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

  reset(): void {
    this.#attempts = 0;
  }
}
