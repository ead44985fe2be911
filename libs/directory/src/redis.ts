import { Redis } from "ioredis";
import {
  type AppendOutcome,
  type DirectoryStore,
  DirectoryStoreError,
  type RecordAppend,
  type StoredInvite,
  type StoredRecord,
  type StoredRoster,
} from "./directory-store.ts";
import { scripts } from "./redis-scripts.ts";

export interface RedisDirectoryOptions {
  /** `redis://user:password@host:port/database`. */
  readonly url: string;
  /** Before every key. Default `sotto:`. */
  readonly prefix?: string;
  /** How long a write waits for the disk. Default 5,000. */
  readonly durableWithinMs?: number;
}

const keyPackagesMax = 200;
const readLimitMax = 1000;
const formatVersion = 1;
const oldestServer = [7, 2] as const;

type Value = string | number | Buffer;
type ScriptName = keyof typeof scripts;

/**
 * The directory in Redis. A write is answered only when the append-only file is synced (`WAITAOF 1 0`). Rejects
 * with `DirectoryStoreError`: TOO_OLD below Redis 7.2 or for a newer format, UNAVAILABLE without an append-only file.
 */
export async function openRedisDirectory(options: RedisDirectoryOptions): Promise<DirectoryStore> {
  const redis = new Redis(options.url, {
    lazyConnect: true,
    maxRetriesPerRequest: 2,
    enableAutoPipelining: false,
  });
  // Failures reach the calls; without a listener the client would print them.
  redis.on("error", () => {});
  try {
    await redis.connect();
    await checkServer(redis);
    const store = new RedisDirectory(
      redis,
      options.prefix ?? "sotto:",
      options.durableWithinMs ?? 5000,
    );
    await store.checkFormat();
    return store;
  } catch (cause) {
    redis.disconnect();
    if (cause instanceof DirectoryStoreError) throw cause;
    throw new DirectoryStoreError("UNAVAILABLE", "Redis cannot be reached", { cause });
  }
}

async function checkServer(redis: Redis): Promise<void> {
  const info = await redis.info();
  const version = /redis_version:(\d+)\.(\d+)/.exec(info);
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  if (!(major > oldestServer[0] || (major === oldestServer[0] && minor >= oldestServer[1]))) {
    throw new DirectoryStoreError(
      "TOO_OLD",
      `Redis ${major}.${minor} is too old: Sotto needs ${oldestServer.join(".")} or newer`,
    );
  }
  if (!/aof_enabled:1/.test(info)) {
    throw new DirectoryStoreError(
      "UNAVAILABLE",
      "Redis keeps no append-only file: set appendonly yes",
    );
  }
}

class RedisDirectory implements DirectoryStore {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #durableWithinMs: number;

  constructor(redis: Redis, prefix: string, durableWithinMs: number) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#durableWithinMs = durableWithinMs;
    for (const [name, lua] of Object.entries(scripts))
      redis.defineCommand(name, { numberOfKeys: 1, lua });
  }

  async checkFormat(): Promise<void> {
    const key = this.#key("format");
    const found = Number((await this.#redis.get(key)) ?? 0);
    if (found > formatVersion) {
      throw new DirectoryStoreError(
        "TOO_OLD",
        `the directory was written by a newer version (format ${found})`,
      );
    }
    if (found === 0) await this.#write(() => this.#redis.set(key, formatVersion));
  }

  async append(record: RecordAppend): Promise<AppendOutcome> {
    const [outcome, index] = (await this.#write(() =>
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
      this.#redis.lrangeBuffer(this.#key("records"), from, from + limit - 1),
    );
    return rows.map((bytes, i) => ({ index: from + i, bytes: new Uint8Array(bytes) }));
  }

  async size(): Promise<number> {
    return await this.#run(() => this.#redis.llen(this.#key("records")));
  }

  async putInvite(invite: StoredInvite): Promise<void> {
    const { tokenHash, createdBy, createdAt, expiresAt, usesLeft, grants } = invite;
    await this.#write(() =>
      this.#redis
        .multi()
        .hset(this.#key("invite", tokenHash), {
          createdBy,
          createdAt,
          expiresAt,
          usesLeft,
          grants: Buffer.from(grants),
        })
        .zadd(this.#key("invites"), createdAt, tokenHash)
        .exec(),
    );
  }

  async getInvite(tokenHash: string): Promise<StoredInvite | undefined> {
    const fields = await this.#run(() => this.#redis.hgetallBuffer(this.#key("invite", tokenHash)));
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

  async listInvites(): Promise<readonly StoredInvite[]> {
    const hashes = await this.#run(() => this.#redis.zrange(this.#key("invites"), "0", "-1"));
    const invites = await Promise.all(hashes.map((hash) => this.getInvite(hash)));
    return invites.filter((invite) => invite !== undefined);
  }

  async deleteInvite(tokenHash: string): Promise<boolean> {
    const results = await this.#write(() =>
      this.#redis
        .multi()
        .del(this.#key("invite", tokenHash))
        .zrem(this.#key("invites"), tokenHash)
        .exec(),
    );
    return Number(results?.[0]?.[1]) > 0;
  }

  async addKeyPackages(device: string, packages: readonly Uint8Array[]): Promise<number> {
    const values = packages.map((bytes) => Buffer.from(bytes));
    return Number(
      await this.#write(() => this.#script("addKeyPackages", device, keyPackagesMax, ...values)),
    );
  }

  async putLastResort(device: string, keyPackage: Uint8Array): Promise<void> {
    await this.#write(() =>
      this.#redis.set(this.#key("last-resort", device), Buffer.from(keyPackage)),
    );
  }

  async countKeyPackages(device: string): Promise<number> {
    return await this.#run(() => this.#redis.llen(this.#key("packages", device)));
  }

  async claimKeyPackage(
    device: string,
  ): Promise<{ bytes: Uint8Array; lastResort: boolean } | undefined> {
    const [bytes, kind] = (await this.#write(() =>
      this.#script("claimKeyPackage", device),
    )) as Buffer[];
    return (
      bytes && { bytes: new Uint8Array(bytes), lastResort: kind?.toString() === "last-resort" }
    );
  }

  async dropKeyPackages(device: string): Promise<void> {
    await this.#write(() =>
      this.#redis.del(this.#key("packages", device), this.#key("last-resort", device)),
    );
  }

  async putRoster({ room, foldedTo, bytes, users }: StoredRoster): Promise<boolean> {
    const stored = await this.#write(() =>
      this.#script("putRoster", room, foldedTo, Buffer.from(bytes), ...users),
    );
    return Number(stored) === 1;
  }

  async getRoster(room: string): Promise<StoredRoster | undefined> {
    const [fields, users] = await Promise.all([
      this.#run(() => this.#redis.hgetallBuffer(this.#key("roster", room))),
      this.#run(() => this.#redis.smembers(this.#key("members", room))),
    ]);
    const { foldedTo, bytes } = fields;
    return foldedTo && bytes
      ? {
          room,
          foldedTo: Number(foldedTo.toString()),
          bytes: new Uint8Array(bytes),
          users: users.sort(),
        }
      : undefined;
  }

  async deleteRoster(room: string): Promise<void> {
    await this.#write(() => this.#script("deleteRoster", room));
  }

  async roomsOf(user: string): Promise<readonly string[]> {
    return (await this.#run(() => this.#redis.smembers(this.#key("rooms", user)))).sort();
  }

  async putMeta(name: string, value: Uint8Array): Promise<void> {
    await this.#write(() => this.#redis.set(this.#key("meta", name), Buffer.from(value)));
  }

  async getMeta(name: string): Promise<Uint8Array | undefined> {
    const value = await this.#run(() => this.#redis.getBuffer(this.#key("meta", name)));
    return value ? new Uint8Array(value) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#redis.disconnect();
  }

  #key(kind: string, name?: string): string {
    return name === undefined ? `${this.#prefix}${kind}` : `${this.#prefix}${kind}:${name}`;
  }

  async #script(name: ScriptName, ...args: readonly Value[]): Promise<unknown> {
    const commands = this.#redis as unknown as Record<
      string,
      (...values: readonly Value[]) => Promise<unknown>
    >;
    return await commands[`${name}Buffer`]?.call(this.#redis, this.#prefix, ...args);
  }

  /** Runs a write and waits until it is in the synced append-only file. */
  async #write<Result>(task: () => Promise<Result>): Promise<Result> {
    return await this.#run(async () => {
      const result = await task();
      const synced = (await this.#redis.call(
        "WAITAOF",
        "1",
        "0",
        String(this.#durableWithinMs),
      )) as [number, number];
      if (Number(synced[0]) < 1) {
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
