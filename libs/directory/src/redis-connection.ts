import { Redis } from "ioredis";
import { DirectoryStoreError } from "./directory-store.ts";

/** Where Redis is, and as whom. */
export interface RedisAddress {
  /** `redis://user:password@host:port/database`; `rediss:` for TLS. */
  readonly url: string;
  /** Instead of those in the URL. */
  readonly user?: string;
  readonly password?: string;
}

const oldestServer = [7, 2] as const;

/** A connection on which a command is sent once: one that was sent when it broke may have been done. */
export function connection({ url, user, password }: RedisAddress): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2000,
    retryStrategy: (attempt) => Math.min(attempt * 50, 500),
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
  });
  // Failures reach the calls; without a listener the client would print them.
  redis.on("error", () => {});
  return redis;
}

/** Refuses a Redis that would lose what it was given. Throws `DirectoryStoreError`. */
export function checkServer(info: string): void {
  const fieldOf = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
  const [major = 0, minor = 0] = fieldOf("redis_version").split(".").map(Number);
  if (!(major > oldestServer[0] || (major === oldestServer[0] && minor >= oldestServer[1]))) {
    throw new DirectoryStoreError(
      "TOO_OLD",
      `Redis ${major}.${minor} is too old: Sotto needs ${oldestServer.join(".")} or newer`,
    );
  }
  if (fieldOf("aof_enabled") !== "1") {
    throw new DirectoryStoreError(
      "UNAVAILABLE",
      "Redis keeps no append-only file: set appendonly yes",
    );
  }
  if (fieldOf("maxmemory") !== "0" && fieldOf("maxmemory_policy") !== "noeviction") {
    throw new DirectoryStoreError(
      "UNAVAILABLE",
      "Redis may evict keys: set maxmemory-policy noeviction",
    );
  }
}
