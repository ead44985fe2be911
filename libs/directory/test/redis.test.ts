import { randomBytes } from "node:crypto";
import { describeWithRedis } from "@sotto/testkit";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { describeDirectoryStore } from "../src/conformance.ts";
import type { DirectoryStore } from "../src/directory-store.ts";
import { openRedisDirectory } from "../src/redis.ts";

await describeWithRedis("Redis", (url) => {
  const newPrefix = () => `test-${randomBytes(8).toString("hex")}:`;

  describeDirectoryStore("redis", async () => {
    const prefix = newPrefix();
    const stores: DirectoryStore[] = [await openRedisDirectory({ url, prefix })];
    return {
      store: stores[0] as DirectoryStore,
      async reopen() {
        await stores.at(-1)?.[Symbol.asyncDispose]();
        stores.push(await openRedisDirectory({ url, prefix }));
        return stores.at(-1) as DirectoryStore;
      },
      async [Symbol.asyncDispose]() {
        await stores.at(-1)?.[Symbol.asyncDispose]();
      },
    };
  });

  test("a directory of a newer version is refused", async () => {
    const prefix = newPrefix();
    const redis = new Redis(url);
    await redis.set(`${prefix}format`, 99);
    await redis.quit();
    await expect(openRedisDirectory({ url, prefix })).rejects.toMatchObject({ code: "TOO_OLD" });
  });

  test("a server that keeps no append-only file is refused", async () => {
    const redis = new Redis(url);
    await redis.config("SET", "appendonly", "no");
    try {
      await expect(openRedisDirectory({ url })).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: /append-only/,
      });
    } finally {
      await redis.config("SET", "appendonly", "yes");
      await redis.quit();
    }
  });
});

test("a Redis that is not there is said to be", async () => {
  await expect(openRedisDirectory({ url: "redis://127.0.0.1:1" })).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
});
