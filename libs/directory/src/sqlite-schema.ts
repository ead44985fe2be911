import type { DatabaseSync } from "node:sqlite";

/** Version of the tables, in `PRAGMA user_version`. */
export const schemaVersion = 3;

/** What each version added to the one before: the first makes a new file. */
const additions = [
  `
  CREATE TABLE records (
    position INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE TABLE chains (
    user TEXT PRIMARY KEY,
    length INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE names (
    name TEXT PRIMARY KEY,
    user TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE invites (
    token_hash TEXT PRIMARY KEY,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    uses_left INTEGER NOT NULL,
    grants BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE key_packages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE INDEX key_packages_by_device ON key_packages (device, number);
  CREATE TABLE last_resorts (
    device TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rosters (
    room TEXT PRIMARY KEY,
    folded_to INTEGER NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE roster_users (
    user TEXT NOT NULL,
    room TEXT NOT NULL,
    PRIMARY KEY (user, room)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX roster_users_by_room ON roster_users (room);
  CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
`,
  `
  CREATE TABLE disabled (
    user TEXT PRIMARY KEY,
    since INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`,
  `
  CREATE TABLE mailboxes (
    channel TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE mail (
    channel TEXT NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (channel, number)
  ) STRICT, WITHOUT ROWID;
`,
];

/** Thrown where the file was written by a newer version. */
export class NewerSchemaError extends Error {
  override readonly name = "NewerSchemaError";
}

/** Makes the tables in a new file, and adds to an old one what its version lacks. */
export function prepareSchema(db: DatabaseSync): void {
  const { user_version: found } = db.prepare("PRAGMA user_version").get() as {
    user_version: number;
  };
  if (found > schemaVersion)
    throw new NewerSchemaError(`the directory was written by a newer version (format ${found})`);
  if (found === schemaVersion) return;
  const missing = additions.slice(found).join("");
  db.exec(`BEGIN IMMEDIATE; ${missing} PRAGMA user_version = ${schemaVersion}; COMMIT;`);
}
