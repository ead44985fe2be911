import type { ScanRange, StoreEntry } from "../ports/profile-store.ts";
import { orderParts } from "../ports/table-keys.ts";

/** The greatest character: closes a range of keys that begin with a prefix. */
export const afterAll = "\u{10FFFF}";

/**
 * A range of keys whose names are hidden behind their numbers. Rows come in the order of the numbers; those
 * that share all of them are put into the order of their names here, so they are read together.
 */
export class OrderedRange {
  /** Places from this one on and smaller than `high` are to be read, in the range's direction. */
  readonly low: string;
  readonly high: string;
  readonly #range: ScanRange;
  readonly #entries: StoreEntry[] = [];
  #last = "";

  constructor(range: ScanRange) {
    this.#range = range;
    const { prefix = "", after = "", reverse } = range;
    const [start = ""] = /^\d*(\.\d*)?/.exec(prefix) ?? [];
    let [low, high] = [start, start + afterAll];
    if (after !== "") {
      const { numbers, name } = orderParts(after);
      // Where a name follows, the others with its numbers may come before or after it.
      const from = name === "" ? `${after}\0` : numbers;
      const to = name === "" ? after : `${numbers}/`;
      if (!reverse && from > low) low = from;
      if (reverse && to < high) high = to;
    }
    this.low = low;
    this.high = high;
  }

  /** True where enough was taken, and `place` shares no numbers with the last of it. */
  isFull(place: string): boolean {
    return this.#entries.length >= this.#range.limit && numbersOf(place) !== this.#last;
  }

  take(place: string, entry: StoreEntry): void {
    const { prefix = "", after, reverse } = this.#range;
    if (!entry.key.startsWith(prefix)) return;
    if (after !== undefined && after !== "" && (reverse ? entry.key >= after : entry.key <= after))
      return;
    this.#last = numbersOf(place);
    this.#entries.push(entry);
  }

  /** What was taken, in the order of the keys. */
  entries(): StoreEntry[] {
    const sign = this.#range.reverse ? -1 : 1;
    return this.#entries
      .sort((one, other) => (one.key < other.key ? -sign : sign))
      .slice(0, this.#range.limit);
  }
}

/** All of a place but the hidden name. */
function numbersOf(place: string): string {
  const [numbers = ""] = /^\d+(\.\d+(?=\.))?/.exec(place) ?? [];
  return numbers;
}
