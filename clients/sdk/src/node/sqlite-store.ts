import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { SottoClientError } from "../errors.ts";
import type {
  ProfileStore,
  ScanRange,
  StoreChange,
  StoreEntry,
  StoreTable,
} from "../ports/profile-store.ts";

const formatVersion = 1;

/** The greatest character: closes a range of keys that begin with a prefix. */
const afterAll = "\u{10FFFF}";

/**
 * A profile in one SQLite file, `profile.db` in `folder` (made with mode 0700). Synchronous inside:
 * a client's process serves nobody else.
 */
export class SqliteStore implements ProfileStore {
  readonly #db: DatabaseSync;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #ascending: StatementSync;
  readonly #descending: StatementSync;

  /** Throws `SottoClientError` PROFILE_BROKEN where the file is newer or not a profile. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, "profile.db");
    this.#db = new DatabaseSync(path);
    chmodSync(path, 0o600);
    this.#prepareSchema(path);
    this.#get = this.#db.prepare("SELECT value FROM entries WHERE tab = ? AND key = ?");
    this.#put = this.#db.prepare(
      "INSERT INTO entries (tab, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
    );
    this.#delete = this.#db.prepare("DELETE FROM entries WHERE tab = ? AND key = ?");
    const range = "SELECT key, value FROM entries WHERE tab = ? AND key > ? AND key < ?";
    this.#ascending = this.#db.prepare(`${range} ORDER BY key ASC LIMIT ?`);
    this.#descending = this.#db.prepare(`${range} ORDER BY key DESC LIMIT ?`);
  }

  #prepareSchema(path: string): void {
    try {
      this.#db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;",
      );
      const row = this.#db.prepare("PRAGMA user_version").get() as { user_version: number };
      if (row.user_version > formatVersion) {
        throw new SottoClientError(
          "PROFILE_BROKEN",
          `the profile at ${path} was written by a newer Sotto (format ${row.user_version}); update this client`,
        );
      }
      this.#db.exec(
        `CREATE TABLE IF NOT EXISTS entries (tab TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
           PRIMARY KEY (tab, key)) WITHOUT ROWID; PRAGMA user_version = ${formatVersion};`,
      );
    } catch (cause) {
      this.#db.close();
      if (cause instanceof SottoClientError) throw cause;
      throw new SottoClientError("PROFILE_BROKEN", `the profile at ${path} cannot be opened`, {
        cause,
      });
    }
  }

  async get(table: StoreTable, key: string): Promise<Uint8Array | undefined> {
    return (this.#get.get(table, key) as { value: Uint8Array } | undefined)?.value;
  }

  async scan(table: StoreTable, range: ScanRange): Promise<readonly StoreEntry[]> {
    const prefix = range.prefix ?? "";
    // Keys are never empty and never hold the greatest character, so both bounds are open.
    let low = prefix;
    let high = prefix + afterAll;
    if (range.after !== undefined) {
      if (range.reverse) high = range.after;
      else if (range.after > low) low = range.after;
    }
    const statement = range.reverse ? this.#descending : this.#ascending;
    return statement.all(table, low, high, range.limit) as unknown as StoreEntry[];
  }

  async commit(changes: readonly StoreChange[]): Promise<void> {
    if (changes.length === 0) return;
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      for (const { table, key, value } of changes) {
        if (value === undefined) this.#delete.run(table, key);
        else this.#put.run(table, key, value);
      }
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }
}
