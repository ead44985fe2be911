import type { ScanRange } from "../ports/profile-store.ts";

/** The keys of one table in ascending order, in memory. */
export class KeyIndex {
  readonly #keys: string[];

  constructor(keys: readonly string[]) {
    this.#keys = [...keys].sort();
  }

  add(key: string): void {
    const at = this.#from(key);
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
  }

  remove(key: string): void {
    const at = this.#from(key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  /** At most `range.limit` keys of a range, in its order. */
  scan({ after, prefix = "", limit, reverse = false }: ScanRange): string[] {
    let low = this.#from(prefix);
    let high = this.#end(prefix, low);
    if (after !== undefined) {
      const at = this.#from(after);
      if (reverse) high = Math.min(high, at);
      else low = Math.max(low, this.#keys[at] === after ? at + 1 : at);
    }
    if (reverse)
      return this.#keys.slice(Math.max(low, high - limit), Math.max(low, high)).reverse();
    return this.#keys.slice(low, Math.min(high, low + limit));
  }

  /** Where the first key stands that is not smaller than `key`. */
  #from(key: string): number {
    return this.#search((other) => other >= key, 0);
  }

  #end(prefix: string, low: number): number {
    return prefix === "" ? this.#keys.length : this.#search((key) => !key.startsWith(prefix), low);
  }

  /** The first place from `low` on from which `holds` is true. */
  #search(holds: (key: string) => boolean, low: number): number {
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.#keys[middle] ?? "")) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
