import type {
  ProfileStore,
  ScanRange,
  StoreChange,
  StoreEntry,
  StoreTable,
} from "./profile-store.ts";
import { checkKey, checkRange } from "./table-keys.ts";

/** A store that forgets when the process ends: for tests and for bots that want nothing kept. */
export class MemoryStore implements ProfileStore {
  readonly #tables = new Map<StoreTable, Map<string, Uint8Array>>();

  async get(table: StoreTable, key: string): Promise<Uint8Array | undefined> {
    return this.#table(table).get(key)?.slice();
  }

  async scan(table: StoreTable, range: ScanRange): Promise<readonly StoreEntry[]> {
    checkRange(table, range);
    const keys = [...this.#table(table).keys()]
      .filter((key) => range.prefix === undefined || key.startsWith(range.prefix))
      .filter(
        (key) =>
          range.after === undefined || (range.reverse ? key < range.after : key > range.after),
      )
      .sort();
    if (range.reverse) keys.reverse();
    const rows = this.#table(table);
    return keys
      .slice(0, range.limit)
      .map((key) => ({ key, value: rows.get(key)?.slice() ?? new Uint8Array() }));
  }

  async commit(changes: readonly StoreChange[]): Promise<void> {
    // Copied first: a change that cannot be made must leave the others unmade.
    const copies = changes.map(({ value, ...place }) => ({ ...place, value: value?.slice() }));
    for (const { table, key } of changes) checkKey(table, key);
    for (const { table, key, value } of copies) {
      if (value === undefined) this.#table(table).delete(key);
      else this.#table(table).set(key, value);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #table(name: StoreTable): Map<string, Uint8Array> {
    let table = this.#tables.get(name);
    if (!table) {
      table = new Map();
      this.#tables.set(name, table);
    }
    return table;
  }
}
