import { idempotencyWindowMs } from "../log.ts";

const generationMs = 30_000;

/**
 * Remembers idempotency keys for at least `idempotencyWindowMs` and at most 30 s longer, in
 * generations that are forgotten whole. `isFull` at `keysMax`: the owner then refuses appends,
 * since forgetting a key early would break the promise.
 */
export class KeyWindow {
  readonly #keysMax: number;
  #generations: { readonly startMs: number; readonly sequences: Map<string, number> }[] = [];
  #count = 0;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  /** True where `pending` keys more and yet another would be too many. */
  isFull(nowMs: number, pending: number): boolean {
    if (this.#count + pending >= this.#keysMax) this.#forget(nowMs);
    return this.#count + pending >= this.#keysMax;
  }

  /** The sequence that was stored under `key` within the window, else undefined. */
  find(key: string, nowMs: number): number | undefined {
    this.#forget(nowMs);
    for (const { sequences } of this.#generations) {
      const sequence = sequences.get(key);
      if (sequence !== undefined) return sequence;
    }
    return undefined;
  }

  remember(key: string, sequence: number, atMs: number): void {
    let latest = this.#generations.at(-1);
    if (!latest || atMs >= latest.startMs + generationMs) {
      // Also while a log is loaded, so that old keys never pile up.
      this.#forget(atMs);
      latest = { startMs: atMs, sequences: new Map() };
      this.#generations.push(latest);
    }
    const before = latest.sequences.size;
    latest.sequences.set(key, sequence);
    this.#count += latest.sequences.size - before;
  }

  #forget(nowMs: number): void {
    const oldestMs = nowMs - idempotencyWindowMs - generationMs;
    for (let first = this.#generations[0]; first && first.startMs < oldestMs; ) {
      this.#count -= first.sequences.size;
      this.#generations.shift();
      first = this.#generations[0];
    }
  }
}
