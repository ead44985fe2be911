import type { Clock } from "@sotto/clock";

const hourMs = 3600 * 1000;

export interface CallBudgetOptions {
  readonly clock: Clock;
  /** Size of each bucket, refilled evenly within an hour. */
  readonly perHour: number;
  /** Buckets that are remembered; the one used longest ago is forgotten first, and is full again. */
  readonly pairsMax: number;
}

/** Limits how often one may do something to another: a bucket of tokens for each pair. */
export class CallBudget {
  readonly #options: CallBudgetOptions;
  readonly #left = new Map<string, { readonly tokens: number; readonly at: number }>();

  constructor(options: CallBudgetOptions) {
    this.#options = options;
  }

  /** Takes one from the pair's bucket; false where it is empty. */
  take(pair: string): boolean {
    const { clock, perHour, pairsMax } = this.#options;
    const now = clock.monotonic();
    const known = this.#left.get(pair) ?? { tokens: perHour, at: now };
    const tokens = Math.min(perHour, known.tokens + ((now - known.at) * perHour) / hourMs);
    this.#left.delete(pair);
    for (const oldest of this.#left.keys()) {
      if (this.#left.size < pairsMax) break;
      this.#left.delete(oldest);
    }
    this.#left.set(pair, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    return tokens >= 1;
  }
}
