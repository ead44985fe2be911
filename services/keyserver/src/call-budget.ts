import type { Clock } from "@sotto/clock";

/** Pairs that are remembered; the oldest are forgotten first, which gives them a full budget again. */
const pairsMax = 20_000;

/** Limits how often one may do something to another: a bucket of `burst`, refilled over `perMs`. */
export class CallBudget {
  readonly #clock: Clock;
  readonly #burst: number;
  readonly #perMs: number;
  readonly #left = new Map<string, { tokens: number; at: number }>();

  constructor(clock: Clock, burst: number, perMs: number) {
    this.#clock = clock;
    this.#burst = burst;
    this.#perMs = perMs;
  }

  /** Takes one from the pair's bucket; false where it is empty. */
  take(pair: string): boolean {
    const now = this.#clock.monotonic();
    const known = this.#left.get(pair) ?? { tokens: this.#burst, at: now };
    const tokens = Math.min(
      this.#burst,
      known.tokens + ((now - known.at) * this.#burst) / this.#perMs,
    );
    this.#left.delete(pair);
    if (this.#left.size >= pairsMax) this.#left.delete(this.#left.keys().next().value as string);
    this.#left.set(pair, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    return tokens >= 1;
  }
}
