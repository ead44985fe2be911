import type { Redis } from "ioredis";
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
import { checkServer, connection, type RedisAddress } from "./redis-connection.ts";
import { scripts } from "./redis-scripts.ts";

export interface RedisDirectoryOptions extends RedisAddress {
  /** Before every key. Default `sotto:`. */
  readonly prefix?: string;
  /** How long a write waits for the disk. Default 5,000. */
  readonly durableWithinMs?: number;
  /** Replicas that must have synced a write too. Default 0. */
  readonly replicas?: number;
}

const keyPackagesMax = 200;
const readLimitMax = 1000;
const formatVersion = 3;

type Value = string | number | Buffer;
type ScriptName = keyof typeof scripts;
type Command = readonly [name: string, ...args: Value[]];

/**
 * The directory in Redis. A write is answered only when the append-only file is synced (`WAITAOF`). Rejects
 * with `DirectoryStoreError`: TOO_OLD below Redis 7.2 or for a newer format, UNAVAILABLE where Redis keeps no
 * append-only file, or may evict keys.
 */
export async function openRedisDirectory(options: RedisDirectoryOptions): Promise<DirectoryStore> {
  const connections = { writes: connection(options), reads: connection(options) };
  const { prefix = "sotto:", durableWithinMs = 5000, replicas = 0 } = options;
  try {
    await Promise.all([connections.writes.connect(), connections.reads.connect()]);
    checkServer(await connections.reads.info());
    const store = new RedisDirectory(connections, prefix, durableWithinMs, replicas);
    await store.checkFormat();
    return store;
  } catch (cause) {
    for (const redis of Object.values(connections)) redis.disconnect();
    if (cause instanceof DirectoryStoreError) throw cause;
    throw new DirectoryStoreError("UNAVAILABLE", "Redis cannot be reached", { cause });
  }
}

class RedisDirectory implements DirectoryStore {
  readonly #writes: Redis;
  /** Of its own: a read must not wait behind another call's sync. */
  readonly #reads: Redis;
  readonly #prefix: string;
  readonly #durableWithinMs: number;
  readonly #replicas: number;

  constructor(
    { writes, reads }: { readonly writes: Redis; readonly reads: Redis },
    prefix: string,
    durableWithinMs: number,
    replicas: number,
  ) {
    this.#writes = writes;
    this.#reads = reads;
    this.#prefix = prefix;
    this.#durableWithinMs = durableWithinMs;
    this.#replicas = replicas;
  }

  async checkFormat(): Promise<void> {
    const key = this.#key("format");
    const found = Number((await this.#run(() => this.#reads.get(key))) ?? 0);
    if (found > formatVersion) {
      throw new DirectoryStoreError(
        "TOO_OLD",
        `the directory was written by a newer version (format ${found})`,
      );
    }
    if (found < formatVersion) await this.#write(["SET", key, formatVersion]);
  }

  async append(record: RecordAppend): Promise<AppendOutcome> {
    const [outcome, index] = (await this.#write(
      this.#script(
        "append",
        Buffer.from(record.bytes),
        record.user,
        record.chainSequence,
        record.claimName ?? "",
        record.redeemInvite ?? "",
        record.expectEmpty ? "1" : "0",
        record.now,
      ),
    )) as [Buffer, number?];
    const word = outcome.toString();
    if (word === "OK") return { ok: true, index: Number(index) };
    return { ok: false, why: word as Extract<AppendOutcome, { ok: false }>["why"] };
  }

  async read(from: number, limit: number): Promise<readonly StoredRecord[]> {
    if (!(limit >= 1 && limit <= readLimitMax))
      throw new RangeError(`a read takes 1 to ${readLimitMax} records`);
    const rows = await this.#run(() =>
      this.#reads.lrangeBuffer(this.#key("records"), from, from + limit - 1),
    );
    return rows.map((bytes, i) => ({ index: from + i, bytes: new Uint8Array(bytes) }));
  }

  async size(): Promise<number> {
    return await this.#run(() => this.#reads.llen(this.#key("records")));
  }

  /** What another connection wrote before this write is before it in the append-only file too. */
  async settled(): Promise<void> {
    await this.#write(["SET", this.#key("settled"), "1"]);
  }

  async putInvite(invite: StoredInvite): Promise<void> {
    const { tokenHash, createdBy, createdAt, expiresAt, usesLeft, grants } = invite;
    const fields = [createdBy, createdAt, expiresAt, usesLeft, Buffer.from(grants)] as const;
    await this.#write(this.#script("putInvite", tokenHash, ...fields));
  }

  async getInvite(tokenHash: string): Promise<StoredInvite | undefined> {
    const fields = await this.#run(() => this.#reads.hgetallBuffer(this.#key("invite", tokenHash)));
    return inviteOf(tokenHash, fields);
  }

  async listInvites(): Promise<readonly StoredInvite[]> {
    const rows = (await this.#read("listInvites")) as [Buffer, Buffer[]][];
    return rows.flatMap(([hash, flat]) => {
      const fields: Record<string, Buffer> = {};
      for (let at = 0; at + 1 < flat.length; at += 2)
        fields[String(flat[at])] = flat[at + 1] as Buffer;
      return inviteOf(hash.toString(), fields) ?? [];
    });
  }

  async deleteInvite(tokenHash: string): Promise<boolean> {
    return Number(await this.#write(this.#script("deleteInvite", tokenHash))) > 0;
  }

  async addKeyPackages(device: string, packages: readonly Uint8Array[]): Promise<number> {
    const values = packages.map((bytes) => Buffer.from(bytes));
    return Number(
      await this.#write(this.#script("addKeyPackages", device, keyPackagesMax, ...values)),
    );
  }

  async putLastResort(device: string, keyPackage: Uint8Array): Promise<void> {
    await this.#write(["SET", this.#key("last-resort", device), Buffer.from(keyPackage)]);
  }

  async countKeyPackages(device: string): Promise<number> {
    return await this.#run(() => this.#reads.llen(this.#key("packages", device)));
  }

  async claimKeyPackage(
    device: string,
  ): Promise<{ bytes: Uint8Array; lastResort: boolean } | undefined> {
    const [bytes, kind] = (await this.#write(this.#script("claimKeyPackage", device))) as Buffer[];
    return (
      bytes && { bytes: new Uint8Array(bytes), lastResort: kind?.toString() === "last-resort" }
    );
  }

  async dropKeyPackages(device: string): Promise<void> {
    await this.#write(["DEL", this.#key("packages", device), this.#key("last-resort", device)]);
  }

  async putRoster({ room, foldedTo, bytes, users }: StoredRoster): Promise<boolean> {
    const stored = await this.#write(
      this.#script("putRoster", room, foldedTo, Buffer.from(bytes), ...users),
    );
    return Number(stored) === 1;
  }

  async getRoster(room: string): Promise<StoredRoster | undefined> {
    const [foldedTo, bytes, users] = (await this.#read("getRoster", room)) as [
      Buffer | null,
      Buffer | null,
      Buffer[],
    ];
    if (!foldedTo || !bytes) return undefined;
    return {
      room,
      foldedTo: Number(foldedTo.toString()),
      bytes: new Uint8Array(bytes),
      users: users.map(String).sort(),
    };
  }

  async deleteRoster(room: string): Promise<void> {
    await this.#write(this.#script("deleteRoster", room));
  }

  async roomsOf(user: string): Promise<readonly string[]> {
    return (await this.#run(() => this.#reads.smembers(this.#key("rooms", user)))).sort();
  }

  async setDisabled(user: string, since: number | undefined): Promise<boolean> {
    const key = this.#key("disabled");
    const command: Command =
      since === undefined ? ["HDEL", key, user] : ["HSETNX", key, user, since];
    return Number(await this.#write(command)) === 1;
  }

  async listDisabled(): Promise<readonly StoredDisablement[]> {
    const fields = await this.#run(() => this.#reads.hgetall(this.#key("disabled")));
    return Object.entries(fields)
      .map(([user, since]) => ({ user, since: Number(since) }))
      .sort((one, other) => (one.user < other.user ? -1 : 1));
  }

  async openMailbox(opening: MailboxOpening): Promise<MailboxOpened> {
    const { channel, owner, now, expiresAt, ownedMax, allMax } = opening;
    const word = await this.#write(
      this.#script("openMailbox", channel, owner, now, expiresAt, ownedMax, allMax),
    );
    return String(word) as MailboxOpened;
  }

  async putMail(
    channel: string,
    number: number,
    bytes: Uint8Array,
    now: number,
  ): Promise<MailboxPut> {
    const word = await this.#write(
      this.#script("putMail", channel, number, Buffer.from(bytes), now),
    );
    return String(word) as MailboxPut;
  }

  async getMail(channel: string, number: number, now: number): Promise<Uint8Array | undefined> {
    const bytes = (await this.#read("getMail", channel, number, now)) as Buffer | null;
    return bytes ? new Uint8Array(bytes) : undefined;
  }

  async putMeta(name: string, value: Uint8Array): Promise<void> {
    await this.#write(["SET", this.#key("meta", name), Buffer.from(value)]);
  }

  async getMeta(name: string): Promise<Uint8Array | undefined> {
    const value = await this.#run(() => this.#reads.getBuffer(this.#key("meta", name)));
    return value ? new Uint8Array(value) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#writes.disconnect();
    this.#reads.disconnect();
  }

  #key(kind: string, name?: string): string {
    return name === undefined ? `${this.#prefix}${kind}` : `${this.#prefix}${kind}:${name}`;
  }

  #script(name: ScriptName, ...args: readonly Value[]): Command {
    return ["EVAL", scripts[name], 1, this.#prefix, ...args];
  }

  async #read(name: ScriptName, ...args: readonly Value[]): Promise<unknown> {
    const [command, ...values] = this.#script(name, ...args);
    return await this.#run(() => this.#reads.callBuffer(command, ...values));
  }

  /**
   * Does one write and waits until it is in the synced append-only file. Both go out together: `WAITAOF` vouches for
   * what its own connection wrote, so on a new one it would vouch for nothing.
   */
  async #write([name, ...args]: Command): Promise<unknown> {
    return await this.#run(async () => {
      const answers = await this.#writes
        .pipeline()
        .callBuffer(name, ...args)
        .callBuffer("WAITAOF", 1, this.#replicas, this.#durableWithinMs)
        .exec();
      const [failure, result] = answers?.[0] ?? [new Error("no answer"), undefined];
      if (failure) throw failure;
      const [unsynced, synced] = answers?.[1] ?? [new Error("no answer"), undefined];
      if (unsynced) throw unsynced;
      const [here, there] = synced as [number, number];
      if (Number(here) < 1 || Number(there) < this.#replicas) {
        throw new DirectoryStoreError(
          "UNAVAILABLE",
          "Redis did not sync in time; whether the write stands is unknown",
        );
      }
      return result;
    });
  }

  async #run<Result>(task: () => Promise<Result>): Promise<Result> {
    try {
      return await task();
    } catch (cause) {
      if (cause instanceof DirectoryStoreError || cause instanceof RangeError) throw cause;
      const why = cause instanceof Error ? cause.message : "";
      if (/MISCONF|OOM|No space/i.test(why))
        throw new DirectoryStoreError("FULL", "Redis has no space left", { cause });
      throw new DirectoryStoreError("UNAVAILABLE", "Redis cannot be reached", { cause });
    }
  }
}

function inviteOf(
  tokenHash: string,
  fields: Readonly<Record<string, Buffer>>,
): StoredInvite | undefined {
  if (!fields["usesLeft"]) return undefined;
  const number = (name: string) => Number(fields[name]?.toString());
  return {
    tokenHash,
    createdBy: fields["createdBy"]?.toString() ?? "",
    createdAt: number("createdAt"),
    expiresAt: number("expiresAt"),
    usesLeft: number("usesLeft"),
    grants: new Uint8Array(fields["grants"] ?? []),
  };
}
