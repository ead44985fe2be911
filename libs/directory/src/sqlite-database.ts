import { DatabaseSync, type StatementSync } from "node:sqlite";
import type {
  AppendOutcome,
  MailboxOpened,
  MailboxOpening,
  MailboxPut,
  RecordAppend,
  StoredDisablement,
  StoredInvite,
  StoredRecord,
  StoredRoster,
} from "./directory-store.ts";
import type { SqliteCalls } from "./sqlite-calls.ts";
import { prepareSchema } from "./sqlite-schema.ts";

const keyPackagesMax = 200;
const readLimitMax = 1000;

interface InviteRow {
  readonly token_hash: string;
  readonly created_by: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly uses_left: number;
  readonly grants: Uint8Array;
}

/**
 * The directory's tables in one SQLite file. Synchronous: runs on a thread of its own. Every call is one
 * step inside the transaction that its caller opened.
 */
export class SqliteDatabase implements SqliteCalls {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    this.#db.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;",
    );
    prepareSchema(this.#db);
  }

  close(): void {
    this.#db.close();
  }

  /** Runs statements that return nothing, such as BEGIN and COMMIT. */
  exec(sql: string): void {
    this.#db.exec(sql);
  }

  append(record: RecordAppend): AppendOutcome {
    const index = this.size();
    if (record.expectEmpty && index > 0) return { ok: false, why: "NOT_EMPTY" };
    const chain = this.#get<{ length: number }>(
      "SELECT length FROM chains WHERE user = ?",
      record.user,
    );
    if ((chain?.length ?? 0) !== record.chainSequence) return { ok: false, why: "CHAIN_CONFLICT" };
    const { claimName } = record;
    if (
      claimName !== undefined &&
      this.#get("SELECT 1 AS taken FROM names WHERE name = ?", claimName)
    ) {
      return { ok: false, why: "NAME_TAKEN" };
    }
    if (record.redeemInvite !== undefined) {
      const refused = this.#redeem(record.redeemInvite, record.now);
      if (refused) return { ok: false, why: refused };
    }
    this.#run("INSERT INTO records (position, bytes) VALUES (?, ?)", index, record.bytes);
    this.#run(
      "INSERT INTO chains (user, length) VALUES (?, 1) ON CONFLICT DO UPDATE SET length = length + 1",
      record.user,
    );
    if (claimName !== undefined)
      this.#run("INSERT INTO names (name, user) VALUES (?, ?)", claimName, record.user);
    return { ok: true, index };
  }

  read(from: number, limit: number): readonly StoredRecord[] {
    if (!(limit >= 1 && limit <= readLimitMax))
      throw new RangeError(`a read takes 1 to ${readLimitMax} records`);
    const rows = this.#all<{ position: number; bytes: Uint8Array }>(
      "SELECT position, bytes FROM records WHERE position >= ? ORDER BY position LIMIT ?",
      from,
      limit,
    );
    return rows.map(({ position, bytes }) => ({ index: position, bytes }));
  }

  size(): number {
    return (
      this.#get<{ size: number }>("SELECT coalesce(max(position) + 1, 0) AS size FROM records")
        ?.size ?? 0
    );
  }

  /** Its answer leaves after the transaction is written, like that of every read. */
  settled(): void {}

  putInvite(invite: StoredInvite): void {
    this.#run(
      "INSERT OR REPLACE INTO invites (token_hash, created_by, created_at, expires_at, uses_left, grants) VALUES (?, ?, ?, ?, ?, ?)",
      invite.tokenHash,
      invite.createdBy,
      invite.createdAt,
      invite.expiresAt,
      invite.usesLeft,
      invite.grants,
    );
  }

  getInvite(tokenHash: string): StoredInvite | undefined {
    const row = this.#get<InviteRow>("SELECT * FROM invites WHERE token_hash = ?", tokenHash);
    return row && inviteOf(row);
  }

  listInvites(): readonly StoredInvite[] {
    return this.#all<InviteRow>("SELECT * FROM invites ORDER BY created_at, token_hash").map(
      inviteOf,
    );
  }

  deleteInvite(tokenHash: string): boolean {
    return this.#run("DELETE FROM invites WHERE token_hash = ?", tokenHash) > 0;
  }

  addKeyPackages(device: string, packages: readonly Uint8Array[]): number {
    let count = this.countKeyPackages(device);
    for (const bytes of packages) {
      if (count >= keyPackagesMax) break;
      this.#run("INSERT INTO key_packages (device, bytes) VALUES (?, ?)", device, bytes);
      count++;
    }
    return count;
  }

  putLastResort(device: string, keyPackage: Uint8Array): void {
    this.#run(
      "INSERT OR REPLACE INTO last_resorts (device, bytes) VALUES (?, ?)",
      device,
      keyPackage,
    );
  }

  countKeyPackages(device: string): number {
    const sql = "SELECT count(*) AS count FROM key_packages WHERE device = ?";
    return this.#get<{ count: number }>(sql, device)?.count ?? 0;
  }

  claimKeyPackage(device: string): { bytes: Uint8Array; lastResort: boolean } | undefined {
    const oldest = this.#get<{ number: number; bytes: Uint8Array }>(
      "SELECT number, bytes FROM key_packages WHERE device = ? ORDER BY number LIMIT 1",
      device,
    );
    if (oldest) {
      this.#run("DELETE FROM key_packages WHERE number = ?", oldest.number);
      return { bytes: oldest.bytes, lastResort: false };
    }
    const last = this.#get<{ bytes: Uint8Array }>(
      "SELECT bytes FROM last_resorts WHERE device = ?",
      device,
    );
    return last && { bytes: last.bytes, lastResort: true };
  }

  dropKeyPackages(device: string): void {
    this.#run("DELETE FROM key_packages WHERE device = ?", device);
    this.#run("DELETE FROM last_resorts WHERE device = ?", device);
  }

  putRoster(roster: StoredRoster): boolean {
    const stored = this.#get<{ folded_to: number }>(
      "SELECT folded_to FROM rosters WHERE room = ?",
      roster.room,
    );
    if (stored && stored.folded_to >= roster.foldedTo) return false;
    const { room, foldedTo, bytes } = roster;
    this.#run(
      "INSERT OR REPLACE INTO rosters (room, folded_to, bytes) VALUES (?, ?, ?)",
      room,
      foldedTo,
      bytes,
    );
    this.#run("DELETE FROM roster_users WHERE room = ?", room);
    for (const user of roster.users)
      this.#run("INSERT OR IGNORE INTO roster_users (user, room) VALUES (?, ?)", user, room);
    return true;
  }

  getRoster(room: string): StoredRoster | undefined {
    const row = this.#get<{ folded_to: number; bytes: Uint8Array }>(
      "SELECT * FROM rosters WHERE room = ?",
      room,
    );
    if (!row) return undefined;
    const users = this.#all<{ user: string }>(
      "SELECT user FROM roster_users WHERE room = ? ORDER BY user",
      room,
    );
    return {
      room,
      foldedTo: row.folded_to,
      bytes: row.bytes,
      users: users.map(({ user }) => user),
    };
  }

  deleteRoster(room: string): void {
    this.#run("DELETE FROM rosters WHERE room = ?", room);
    this.#run("DELETE FROM roster_users WHERE room = ?", room);
  }

  roomsOf(user: string): readonly string[] {
    const sql = "SELECT room FROM roster_users WHERE user = ? ORDER BY room";
    return this.#all<{ room: string }>(sql, user).map(({ room }) => room);
  }

  setDisabled(user: string, since: number | undefined): boolean {
    if (since === undefined) return this.#run("DELETE FROM disabled WHERE user = ?", user) > 0;
    return this.#run("INSERT OR IGNORE INTO disabled (user, since) VALUES (?, ?)", user, since) > 0;
  }

  listDisabled(): readonly StoredDisablement[] {
    return this.#all<StoredDisablement>("SELECT user, since FROM disabled ORDER BY user").map(
      ({ user, since }) => ({ user, since }),
    );
  }

  openMailbox({ channel, owner, now, expiresAt, ownedMax, allMax }: MailboxOpening): MailboxOpened {
    // What nobody can read any more goes first: it counts for nothing.
    this.#run(
      "DELETE FROM mail WHERE channel IN (SELECT channel FROM mailboxes WHERE expires_at <= ?)",
      now,
    );
    this.#run("DELETE FROM mailboxes WHERE expires_at <= ?", now);
    const standing = this.#get<{ owner: string }>(
      "SELECT owner FROM mailboxes WHERE channel = ?",
      channel,
    );
    if (standing) return standing.owner === owner ? "OPEN" : "TAKEN";
    const count = (where: string, ...values: string[]) =>
      this.#get<{ count: number }>(`SELECT count(*) AS count FROM mailboxes${where}`, ...values)
        ?.count ?? 0;
    if (count("") >= allMax || count(" WHERE owner = ?", owner) >= ownedMax) return "FULL";
    this.#run(
      "INSERT INTO mailboxes (channel, owner, expires_at) VALUES (?, ?, ?)",
      channel,
      owner,
      expiresAt,
    );
    return "OPEN";
  }

  putMail(channel: string, number: number, bytes: Uint8Array, now: number): MailboxPut {
    const standing = this.getMail(channel, number, now);
    if (!standing) return "UNKNOWN";
    if (standing.length > 0) return Buffer.compare(standing, bytes) === 0 ? "DONE" : "CONFLICT";
    this.#run("INSERT INTO mail (channel, number, bytes) VALUES (?, ?, ?)", channel, number, bytes);
    return "DONE";
  }

  getMail(channel: string, number: number, now: number): Uint8Array | undefined {
    const open = "SELECT 1 AS open FROM mailboxes WHERE channel = ? AND expires_at > ?";
    if (!this.#get(open, channel, now)) return undefined;
    const mail = this.#get<{ bytes: Uint8Array }>(
      "SELECT bytes FROM mail WHERE channel = ? AND number = ?",
      channel,
      number,
    );
    return mail?.bytes ?? new Uint8Array();
  }

  putMeta(name: string, value: Uint8Array): void {
    this.#run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value);
  }

  getMeta(name: string): Uint8Array | undefined {
    return this.#get<{ value: Uint8Array }>("SELECT value FROM meta WHERE name = ?", name)?.value;
  }

  #redeem(
    tokenHash: string,
    now: number,
  ): "INVITE_UNKNOWN" | "INVITE_EXPIRED" | "INVITE_USED" | undefined {
    const invite = this.getInvite(tokenHash);
    if (!invite) return "INVITE_UNKNOWN";
    if (invite.expiresAt !== 0 && invite.expiresAt < now) return "INVITE_EXPIRED";
    if (invite.usesLeft < 1) return "INVITE_USED";
    this.#run("UPDATE invites SET uses_left = uses_left - 1 WHERE token_hash = ?", tokenHash);
    return undefined;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #get<Row>(sql: string, ...values: (string | number | Uint8Array)[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  #all<Row>(sql: string, ...values: (string | number | Uint8Array)[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  #run(sql: string, ...values: (string | number | Uint8Array)[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }
}

function inviteOf(row: InviteRow): StoredInvite {
  return {
    tokenHash: row.token_hash,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    usesLeft: row.uses_left,
    grants: row.grants,
  };
}
