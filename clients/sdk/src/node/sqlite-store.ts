import type { DatabaseSync, StatementSync } from "node:sqlite";
import type {
  ProfileStore,
  ScanRange,
  StoreChange,
  StoreEntry,
  StoreTable,
} from "../ports/profile-store.ts";
import { checkRange, groupOf, keyForms } from "../ports/table-keys.ts";
import { KeyIndex } from "./key-index.ts";
import { afterAll, OrderedRange } from "./ordered-range.ts";
import { changeSeal, checkSeal, openDatabase } from "./profile-database.ts";
import { ProfileKey } from "./profile-key.ts";
import type { RowSeal } from "./row-seal.ts";
import { tableCodes } from "./table-codes.ts";

interface Row<Place> {
  readonly key: Place;
  readonly value: Uint8Array;
}

/**
 * A profile in one SQLite file, `profile.db` in `folder` (made with mode 0700), sealed under the key of
 * `profile.key` beside it. Synchronous inside: a client's process serves nobody else.
 */
export class SqliteStore implements ProfileStore {
  readonly #db: DatabaseSync;
  #seal: RowSeal;
  #dataKey: Uint8Array;
  /** Keys of the tables of names that were scanned, as long as nobody else writes. */
  readonly #indexes = new Map<StoreTable, KeyIndex>();
  #dataVersion = 0;
  readonly #version: StatementSync;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #all: StatementSync;
  readonly #ascending: StatementSync;
  readonly #descending: StatementSync;

  /**
   * Without a `key` the profile must ask for no passphrase. Throws `SottoClientError` LOCKED where it does,
   * PROFILE_BROKEN where the file is newer, no profile, or not sealed with this key.
   */
  constructor(folder: string, key: ProfileKey = ProfileKey.open(folder)) {
    const { db, seal, dataKey } = openDatabase(folder, key.dataKeys);
    this.#db = db;
    this.#seal = seal;
    this.#dataKey = dataKey;
    this.#version = db.prepare("PRAGMA data_version");
    this.#get = db.prepare("SELECT value FROM entries WHERE tab = ? AND key = ?");
    this.#put = db.prepare(
      "INSERT INTO entries (tab, key, value) VALUES (?, ?, ?) ON CONFLICT (tab, key) DO UPDATE SET value = excluded.value",
    );
    this.#delete = db.prepare("DELETE FROM entries WHERE tab = ? AND key = ?");
    this.#all = db.prepare("SELECT key, value FROM entries WHERE tab = ?");
    const range = "SELECT key, value FROM entries WHERE tab = ? AND key >= ? AND key < ?";
    this.#ascending = db.prepare(`${range} ORDER BY key ASC LIMIT ?`);
    this.#descending = db.prepare(`${range} ORDER BY key DESC LIMIT ?`);
  }

  /** The key that everything is sealed with now. Secret. */
  get dataKey(): Uint8Array {
    return this.#dataKey;
  }

  /** Seals everything anew; takes as long as reading and writing the whole file. Atomic, and durable when it returns. */
  changeKey(dataKey: Uint8Array): void {
    this.#seal = changeSeal(this.#db, this.#seal, dataKey);
    this.#dataKey = dataKey;
  }

  async get(table: StoreTable, key: string): Promise<Uint8Array | undefined> {
    return this.#read(table, key)?.value;
  }

  async scan(table: StoreTable, range: ScanRange): Promise<readonly StoreEntry[]> {
    checkRange(table, range);
    if (keyForms[table] === "orders") return this.#scanOrders(table, range);
    if (keyForms[table] === "groups") return this.#scanGroup(table, range);
    return this.#index(table)
      .scan(range)
      .flatMap((key) => this.#read(table, key) ?? []);
  }

  async commit(changes: readonly StoreChange[]): Promise<void> {
    if (changes.length === 0) return;
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      this.#noticeOthers();
      for (const { table, key, value } of changes) {
        const place = this.#seal.place(table, key);
        const code = tableCodes[table];
        if (value === undefined) this.#delete.run(code, place);
        else this.#put.run(code, place, this.#seal.seal(table, key, place, value));
      }
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#db.exec("ROLLBACK");
      throw error;
    }
    for (const { table, key, value } of changes) {
      if (value === undefined) this.#indexes.get(table)?.remove(key);
      else this.#indexes.get(table)?.add(key);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }

  #read(table: StoreTable, key: string): StoreEntry | undefined {
    this.#noticeOthers();
    const place = this.#seal.place(table, key);
    const row = this.#get.get(tableCodes[table], place) as { value: Uint8Array } | undefined;
    return row && this.#seal.open(table, place, row.value);
  }

  #scanOrders(table: StoreTable, range: ScanRange): StoreEntry[] {
    const wanted = new OrderedRange(range);
    if (range.limit === 0) return [];
    for (const row of this.#rows(range).iterate(tableCodes[table], wanted.low, wanted.high, -1)) {
      const { key, value } = row as unknown as Row<string>;
      if (wanted.isFull(key)) break;
      wanted.take(key, this.#seal.open(table, key, value));
    }
    return wanted.entries();
  }

  #scanGroup(table: StoreTable, range: ScanRange): StoreEntry[] {
    const { prefix = "", after, reverse, limit } = range;
    const group = this.#seal.group(table, groupOf(table, range));
    const place = (key: string) => group + key.slice(key.indexOf("#") + 1);
    let [low, high] = [place(prefix), place(prefix) + afterAll];
    if (after !== undefined && !reverse && place(after) >= low) low = `${place(after)}\0`;
    if (after !== undefined && reverse && place(after) < high) high = place(after);
    const rows = this.#rows(range).all(
      tableCodes[table],
      low,
      high,
      limit,
    ) as unknown as Row<string>[];
    return rows.map(({ key, value }) => this.#seal.open(table, key, value));
  }

  #rows({ reverse }: ScanRange): StatementSync {
    return reverse ? this.#descending : this.#ascending;
  }

  /** What another connection wrote: names that are not in an index, or everything under another key. */
  #noticeOthers(): void {
    const { data_version: version } = this.#version.get() as { data_version: number };
    if (version === this.#dataVersion) return;
    this.#indexes.clear();
    checkSeal(this.#db, this.#seal);
    this.#dataVersion = version;
  }

  #index(table: StoreTable): KeyIndex {
    this.#noticeOthers();
    let index = this.#indexes.get(table);
    if (!index) {
      const keys: string[] = [];
      for (const row of this.#all.iterate(tableCodes[table])) {
        const { key, value } = row as unknown as Row<Uint8Array>;
        keys.push(this.#seal.open(table, key, value).key);
      }
      index = new KeyIndex(keys);
      this.#indexes.set(table, index);
    }
    return index;
  }
}
