import type { Directory } from "@sotto/identity";
import { type HandedBackOptions, HandedBackRecords } from "./handed-back-records.ts";

/** Contributions that are held at once; beyond it the one goes that nobody has added to for the longest time. */
const contributionsMax = 16;

/**
 * What several clients hand back at once, each by itself: whose records lead to a signed head shows only at their end,
 * and until then nobody's are in the way of anybody else's.
 */
export class Contributions {
  readonly #options: HandedBackOptions;
  /** By a name that only its contributor knows; the one of last use is the last. */
  readonly #held = new Map<string, HandedBackRecords>();

  constructor(options: HandedBackOptions) {
    this.#options = options;
  }

  /** What is held of this contribution, behind the end of the store. */
  of(name: string, stored: Directory): HandedBackRecords {
    const held = this.#held.get(name) ?? new HandedBackRecords(this.#options);
    this.#held.delete(name);
    this.#held.set(name, held);
    held.follow(stored);
    return held;
  }

  /** After something was added to one: lets the others go that lie longest, where all are too many or too large. */
  bound(name: string): void {
    const { bytesMax } = this.#options;
    let bytes = 0;
    for (const { bytes: one } of this.#held.values()) bytes += one;
    for (const [oldest, { bytes: one }] of this.#held) {
      if (this.#held.size <= contributionsMax && bytes <= bytesMax) return;
      if (oldest === name) return;
      this.#held.delete(oldest);
      bytes -= one;
    }
  }

  /** Holds nothing any more: the store has grown. */
  clear(): void {
    this.#held.clear();
  }
}
