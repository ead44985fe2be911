import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { SottoClientError } from "../errors.ts";
import type { StoreTable } from "../ports/profile-store.ts";
import { RowSeal } from "./row-seal.ts";
import { tableCodes, tableOf } from "./table-codes.ts";

/**
 * Version of the tables, in `PRAGMA user_version`: 1 kept values in the clear, 2 seals them, 3 keeps values in the
 * order in which they came, and places in an index of their own.
 */
const formatVersion = 3;

/**
 * A message takes several rows, one of which stands at a place of chance: values at the end of one tree and small
 * places in another touch a third of the pages that one tree of both would, and no value runs over its page.
 */
const entriesSchema = `
  CREATE TABLE entries (id INTEGER PRIMARY KEY, tab INTEGER NOT NULL, key NOT NULL, value BLOB NOT NULL);
  CREATE UNIQUE INDEX entry_places ON entries (tab, key);
`;
/** `check` names the data key; `scrub` is 1 while pages of an older key, of none or of an older format may be left over. */
const sealSchema = `
  CREATE TABLE seal (one INTEGER PRIMARY KEY CHECK (one = 1), "check" BLOB NOT NULL, scrub INTEGER NOT NULL);
`;

interface Row {
  /** A name in format 1. */
  readonly tab: StoreTable | number;
  readonly key: string | Uint8Array;
  readonly value: Uint8Array;
}

export interface OpenedDatabase {
  readonly db: DatabaseSync;
  readonly seal: RowSeal;
  /** The data key that the rows are sealed with. */
  readonly dataKey: Uint8Array;
}

/** True where the folder holds a database whose values are sealed, or that a newer Sotto wrote. */
export function isSealed(folder: string): boolean {
  const path = join(folder, "profile.db");
  if (!existsSync(path)) return false;
  const db = connect(path);
  try {
    return versionOf(db) > 1;
  } catch (cause) {
    throw broken(path, cause);
  } finally {
    db.close();
  }
}

/**
 * Opens `profile.db` in `folder`, making it where there is none. One of an older format is brought up to this one in
 * place, and no page of it stays: one of format 1 is sealed. Of two data keys the one that fits is taken; where that is the older, the rows are sealed
 * anew under the newer: so a change of key that was interrupted ends. Throws PROFILE_BROKEN.
 */
export function openDatabase(folder: string, dataKeys: readonly Uint8Array[]): OpenedDatabase {
  const path = join(folder, "profile.db");
  const newest = dataKeys.at(-1);
  if (!newest) throw new RangeError("a profile needs a key");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
  const db = connect(path);
  try {
    configure(db, path);
    const version = versionOf(db);
    if (version > formatVersion) {
      throw new SottoClientError(
        "PROFILE_BROKEN",
        `the profile at ${path} was written by a newer Sotto (format ${version}); update this client`,
      );
    }
    if (version < 2) sealAll(db, undefined, new RowSeal(newest));
    if (version === 2) layOutAnew(db);
    const current = dataKeys.map((key) => new RowSeal(key)).find((seal) => fits(db, seal));
    if (!current) {
      throw new SottoClientError(
        "PROFILE_BROKEN",
        `${path} is not sealed with the key of profile.key`,
      );
    }
    const seal = new RowSeal(newest);
    if (!current.check.equals(seal.check)) sealAll(db, current, seal);
    scrub(db);
    return { db, seal, dataKey: newest };
  } catch (cause) {
    db.close();
    throw cause instanceof SottoClientError ? cause : broken(path, cause);
  }
}

/** Seals every row anew under another key, and leaves no page of the old one. Atomic. */
export function changeSeal(db: DatabaseSync, from: RowSeal, dataKey: Uint8Array): RowSeal {
  const to = new RowSeal(dataKey);
  sealAll(db, from, to);
  scrub(db);
  return to;
}

/** Throws PROFILE_BROKEN where the rows are sealed under another key by now. */
export function checkSeal(db: DatabaseSync, seal: RowSeal): void {
  if (fits(db, seal)) return;
  throw new SottoClientError(
    "PROFILE_BROKEN",
    "another program has replaced this profile's key; start again",
  );
}

function connect(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path);
  } catch (cause) {
    throw broken(path, cause);
  }
}

function broken(path: string, cause: unknown): SottoClientError {
  return new SottoClientError("PROFILE_BROKEN", `the profile at ${path} cannot be opened`, {
    cause,
  });
}

/** What is deleted is overwritten: forgotten keys must not be found by who gets the data key later. */
function configure(db: DatabaseSync, path: string): void {
  db.exec("PRAGMA busy_timeout = 5000; PRAGMA secure_delete = ON;");
  // A backlog touches places all over the index: they stay in memory, and go to the file seldom.
  db.exec("PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4000;");
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  for (const suffix of ["", "-wal", "-shm"])
    if (existsSync(path + suffix)) chmodSync(path + suffix, 0o600);
}

function versionOf(db: DatabaseSync): number {
  return (db.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
}

function fits(db: DatabaseSync, seal: RowSeal): boolean {
  const row = db.prepare('SELECT "check" FROM seal').get() as { check: Uint8Array } | undefined;
  return row !== undefined && seal.check.equals(row.check);
}

/** Without `from` the rows are in the clear, or there are none yet. */
function sealAll(db: DatabaseSync, from: RowSeal | undefined, to: RowSeal): void {
  atomically(db, () => {
    // Another process may have been faster.
    if (!from && versionOf(db) > 1) return;
    db.exec("CREATE TABLE IF NOT EXISTS entries (tab, key, value)");
    replaceEntries(db, (put) => {
      for (const row of db.prepare("SELECT tab, key, value FROM old_entries").iterate()) {
        const { tab, key, value } = row as unknown as Row;
        const table = typeof tab === "number" ? tableOf(tab) : tab;
        const entry = from ? from.open(table, key, value) : { key: String(key), value };
        const place = to.place(table, entry.key);
        put.run(tableCodes[table], place, to.seal(table, entry.key, place, entry.value));
      }
    });
    db.exec(`DROP TABLE IF EXISTS seal; ${sealSchema}`);
    const { rows } = db.prepare("SELECT count(*) AS rows FROM entries").get() as { rows: number };
    db.prepare("INSERT INTO seal VALUES (1, ?, ?)").run(to.check, rows > 0 || from ? 1 : 0);
  });
}

/** Sealed rows of format 2 as those of this one: what is sealed stays as it is. */
function layOutAnew(db: DatabaseSync): void {
  atomically(db, () => {
    // Another process may have been faster.
    if (versionOf(db) !== 2) return;
    replaceEntries(db, () => {
      const copy = db.prepare(
        "INSERT INTO entries (tab, key, value) SELECT ?, key, value FROM old_entries WHERE tab = ? ORDER BY key",
      );
      for (const [table, code] of Object.entries(tableCodes)) copy.run(code, table);
    });
    db.exec("UPDATE seal SET scrub = 1");
  });
}

/** Puts a new table of this format in the place of the old one, which `fill` reads as `old_entries`. */
function replaceEntries(db: DatabaseSync, fill: (put: StatementSync) => void): void {
  db.exec(
    `ALTER TABLE entries RENAME TO old_entries; DROP INDEX IF EXISTS entry_places; ${entriesSchema}`,
  );
  fill(db.prepare("INSERT INTO entries (tab, key, value) VALUES (?, ?, ?)"));
  db.exec("DROP TABLE old_entries");
}

function atomically(db: DatabaseSync, change: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    change();
    db.exec(`PRAGMA user_version = ${formatVersion}; COMMIT`);
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

/** Rewrites the whole file, and what the log of changes holds, where older pages may be left. */
function scrub(db: DatabaseSync): void {
  const row = db.prepare("SELECT scrub FROM seal").get() as { scrub: number } | undefined;
  if (row?.scrub !== 1) return;
  db.exec("VACUUM");
  const done = db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() as { busy: number };
  // Another reader holds the log: the next start tries again.
  if (done.busy === 0) db.exec("UPDATE seal SET scrub = 0");
}
