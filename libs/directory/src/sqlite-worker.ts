import { parentPort, workerData } from "node:worker_threads";
import type { SqliteReply, SqliteRequest } from "./sqlite-calls.ts";
import { SqliteDatabase } from "./sqlite-database.ts";
import { NewerSchemaError } from "./sqlite-schema.ts";

/**
 * The database's thread. Calls that wait while a transaction is written share the next one: one sync for
 * all of them. A call that fails takes back its own changes and nobody else's.
 */
const port = parentPort;
const { path } = workerData as { path: string };
const waiting: SqliteRequest[] = [];
let database: SqliteDatabase | undefined;
let refusal: SqliteReply | undefined;

try {
  database = new SqliteDatabase(path);
  port?.postMessage({ id: 0, result: "open" } satisfies SqliteReply);
} catch (error) {
  refusal = failure(0, error);
  port?.postMessage(refusal);
}

port?.on("message", (message: SqliteRequest | "close") => {
  if (message === "close") {
    run();
    database?.close();
    port.close();
    return;
  }
  if (waiting.push(message) === 1) setImmediate(run);
});

function run(): void {
  const batch = waiting.splice(0);
  if (batch.length === 0 || !database) return;
  let replies: SqliteReply[];
  try {
    database.exec("BEGIN IMMEDIATE");
    replies = batch.map((request) => step(database as SqliteDatabase, request));
    database.exec("COMMIT");
  } catch (error) {
    rollBack(database);
    replies = batch.map(({ id }) => failure(id, error));
  }
  for (const reply of replies) port?.postMessage(reply);
}

function step(db: SqliteDatabase, { id, name, args }: SqliteRequest): SqliteReply {
  db.exec("SAVEPOINT call");
  try {
    const call = db[name as "read"] as (...values: unknown[]) => unknown;
    const result = call.apply(db, args as unknown[]);
    db.exec("RELEASE call");
    return { id, result };
  } catch (error) {
    db.exec("ROLLBACK TO call; RELEASE call");
    return failure(id, error);
  }
}

function rollBack(db: SqliteDatabase): void {
  try {
    db.exec("ROLLBACK");
  } catch {
    // SQLite has rolled back by itself, as it does where the disk is full.
  }
}

function failure(id: number, error: unknown): SqliteReply {
  const message = error instanceof Error ? error.message : "the database failed";
  if (error instanceof NewerSchemaError) return { id, code: "TOO_OLD", message };
  // The primary result code is the low byte: 13 SQLITE_FULL, 11 SQLITE_CORRUPT, 26 SQLITE_NOTADB.
  const result = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
  if (result === 13) return { id, code: "FULL", message: "no space is left for the directory" };
  if (result === 11 || result === 26)
    return { id, code: "CORRUPT", message: "the directory's file is damaged" };
  return { id, code: "UNAVAILABLE", message };
}
