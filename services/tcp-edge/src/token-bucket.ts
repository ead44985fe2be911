/**
 * A rate limit: `capacity` tokens at first, refilled at `perSecond`. Time is an argument, in
 * milliseconds of any monotonic clock.
 */
export class TokenBucket {
  readonly #capacity: number;
  readonly #perMs: number;
  #tokens: number;
  #atMs: number;

  constructor(capacity: number, perSecond: number, atMs: number) {
    this.#capacity = capacity;
    this.#perMs = perSecond / 1000;
    this.#tokens = capacity;
    this.#atMs = atMs;
  }

  /** Takes one token; false, and nothing taken, where none is left. */
  take(atMs: number): boolean {
    this.#refill(atMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Milliseconds until `take` would succeed; 0 where it would now. */
  waitMs(atMs: number): number {
    this.#refill(atMs);
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
  }

  /** True where nothing was taken for so long that a new bucket would behave the same. */
  isFull(atMs: number): boolean {
    this.#refill(atMs);
    return this.#tokens >= this.#capacity;
  }

  #refill(atMs: number): void {
    if (atMs <= this.#atMs) return;
    this.#tokens = Math.min(this.#capacity, this.#tokens + (atMs - this.#atMs) * this.#perMs);
    this.#atMs = atMs;
  }
}
