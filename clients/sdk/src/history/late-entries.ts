import { equalBytes } from "../bytes.ts";
import type { StoreEntry } from "../ports/profile-store.ts";

/** Entries that a slow reader may be told of at once; of more, the oldest are found by reading anew only. */
const lateEntriesMax = 100_000;

/** What was put into the history at places that a following reader has passed. */
export class LateEntries {
  #reached: string;
  #given: ReadonlyMap<string, Uint8Array> = new Map();
  readonly #waiting = new Set<string>();

  constructor(reached: string) {
    this.#reached = reached;
  }

  /** The order up to which the reader has read. */
  get reached(): string {
    return this.#reached;
  }

  /** True where `take` has something. */
  get waiting(): boolean {
    for (const order of this.#waiting) if (order <= this.#reached) return true;
    return false;
  }

  /** An entry was stored. */
  add(order: string): void {
    if (this.#waiting.size >= lateEntriesMax) {
      const [oldest = ""] = this.#waiting;
      this.#waiting.delete(oldest);
    }
    this.#waiting.add(order);
  }

  /** The reader gets these, in order. */
  reach(page: readonly StoreEntry[]): void {
    const last = page.at(-1);
    if (!last) return;
    this.#reached = last.key;
    this.#given = new Map(page.map(({ key, value }) => [key, value]));
  }

  /** Orders of entries that the reader has passed, ascending. Those ahead of it come by reading. */
  take(): string[] {
    const passed = [...this.#waiting].filter((order) => order <= this.#reached);
    this.#waiting.clear();
    return passed.sort();
  }

  /** True where the reader got just that a moment ago. */
  gave(order: string, value: Uint8Array): boolean {
    const given = this.#given.get(order);
    return given !== undefined && equalBytes(given, value);
  }
}
