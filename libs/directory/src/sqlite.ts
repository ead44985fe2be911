import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import {
  type AppendOutcome,
  type DirectoryStore,
  DirectoryStoreError,
  type MailboxOpened,
  type MailboxOpening,
  type MailboxPut,
  type RecordAppend,
  type StoredDisablement,
  type StoredInvite,
  type StoredRecord,
  type StoredRoster,
} from "./directory-store.ts";
import type { SqliteCallName, SqliteCalls, SqliteReply, SqliteRequest } from "./sqlite-calls.ts";

export interface SqliteDirectoryOptions {
  /** Holds `directory.db`; made where it is not there. */
  readonly folder: string;
  /** Calls under way to the database; beyond it a call rejects with UNAVAILABLE. Default 10,000. */
  readonly pendingCallsMax?: number;
}

/**
 * The directory in one SQLite file, on a thread of its own. Rejects with `DirectoryStoreError`: CORRUPT for a
 * damaged file, TOO_OLD where a newer version wrote it, UNAVAILABLE otherwise.
 */
export async function openSqliteDirectory(
  options: SqliteDirectoryOptions,
): Promise<DirectoryStore> {
  try {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new DirectoryStoreError("UNAVAILABLE", `the folder ${options.folder} cannot be made`, {
      cause,
    });
  }
  const store = new SqliteDirectory(
    join(options.folder, "directory.db"),
    options.pendingCallsMax ?? 10_000,
  );
  await store.opened;
  return store;
}

interface PendingCall {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

class SqliteDirectory implements DirectoryStore {
  readonly opened: Promise<unknown>;
  readonly #worker: Worker;
  readonly #pendingCallsMax: number;
  readonly #pending = new Map<number, PendingCall>();
  #next = 1;
  #closed: Promise<void> | undefined;
  #over = false;

  constructor(path: string, pendingCallsMax: number) {
    this.#pendingCallsMax = pendingCallsMax;
    this.opened = new Promise((resolve, reject) => this.#pending.set(0, { resolve, reject }));
    this.#worker = new Worker(new URL("./sqlite-worker.ts", import.meta.url), {
      workerData: { path },
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    this.#worker.on("message", (reply: SqliteReply) => this.#settle(reply));
    this.#worker.on("error", (cause) =>
      this.#fail(
        new DirectoryStoreError("UNAVAILABLE", "the directory's thread failed", { cause }),
      ),
    );
    this.#worker.on("exit", () =>
      this.#fail(new DirectoryStoreError("UNAVAILABLE", "the directory is closed")),
    );
  }

  append(record: RecordAppend): Promise<AppendOutcome> {
    return this.#call("append", record);
  }

  read(from: number, limit: number): Promise<readonly StoredRecord[]> {
    return this.#call("read", from, limit);
  }

  size(): Promise<number> {
    return this.#call("size");
  }

  settled(): Promise<void> {
    return this.#call("settled");
  }

  putInvite(invite: StoredInvite): Promise<void> {
    return this.#call("putInvite", invite);
  }

  getInvite(tokenHash: string): Promise<StoredInvite | undefined> {
    return this.#call("getInvite", tokenHash);
  }

  listInvites(): Promise<readonly StoredInvite[]> {
    return this.#call("listInvites");
  }

  deleteInvite(tokenHash: string): Promise<boolean> {
    return this.#call("deleteInvite", tokenHash);
  }

  addKeyPackages(device: string, packages: readonly Uint8Array[]): Promise<number> {
    return this.#call("addKeyPackages", device, packages);
  }

  putLastResort(device: string, keyPackage: Uint8Array): Promise<void> {
    return this.#call("putLastResort", device, keyPackage);
  }

  countKeyPackages(device: string): Promise<number> {
    return this.#call("countKeyPackages", device);
  }

  claimKeyPackage(device: string): Promise<{ bytes: Uint8Array; lastResort: boolean } | undefined> {
    return this.#call("claimKeyPackage", device);
  }

  dropKeyPackages(device: string): Promise<void> {
    return this.#call("dropKeyPackages", device);
  }

  putRoster(roster: StoredRoster): Promise<boolean> {
    return this.#call("putRoster", roster);
  }

  getRoster(room: string): Promise<StoredRoster | undefined> {
    return this.#call("getRoster", room);
  }

  deleteRoster(room: string): Promise<void> {
    return this.#call("deleteRoster", room);
  }

  roomsOf(user: string): Promise<readonly string[]> {
    return this.#call("roomsOf", user);
  }

  setDisabled(user: string, since: number | undefined): Promise<boolean> {
    return this.#call("setDisabled", user, since);
  }

  listDisabled(): Promise<readonly StoredDisablement[]> {
    return this.#call("listDisabled");
  }

  openMailbox(opening: MailboxOpening): Promise<MailboxOpened> {
    return this.#call("openMailbox", opening);
  }

  putMail(channel: string, number: number, bytes: Uint8Array, now: number): Promise<MailboxPut> {
    return this.#call("putMail", channel, number, bytes, now);
  }

  getMail(channel: string, number: number, now: number): Promise<Uint8Array | undefined> {
    return this.#call("getMail", channel, number, now);
  }

  putMeta(name: string, value: Uint8Array): Promise<void> {
    return this.#call("putMeta", name, value);
  }

  getMeta(name: string): Promise<Uint8Array | undefined> {
    return this.#call("getMeta", name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      if (this.#over) return resolve();
      this.#worker.once("exit", () => resolve());
      this.#worker.postMessage("close");
    });
    await this.#closed;
  }

  async #call<Name extends SqliteCallName>(
    name: Name,
    ...args: Parameters<SqliteCalls[Name]>
  ): Promise<ReturnType<SqliteCalls[Name]>> {
    if (this.#over || this.#closed)
      throw new DirectoryStoreError("UNAVAILABLE", "the directory is closed");
    if (this.#pending.size >= this.#pendingCallsMax) {
      throw new DirectoryStoreError("UNAVAILABLE", "the directory has too many calls waiting");
    }
    const id = this.#next++;
    const answer = new Promise<unknown>((resolve, reject) =>
      this.#pending.set(id, { resolve, reject }),
    );
    this.#worker.postMessage({ id, name, args } satisfies SqliteRequest);
    return (await answer) as ReturnType<SqliteCalls[Name]>;
  }

  #settle(reply: SqliteReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("code" in reply) pending?.reject(new DirectoryStoreError(reply.code, reply.message));
    else pending?.resolve(reply.result);
  }

  #fail(error: DirectoryStoreError): void {
    this.#over = true;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}
