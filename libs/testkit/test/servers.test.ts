import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import { afterEach, expect, test, vi } from "vitest";
import { serverOrSkip } from "../src/describe-with-server.ts";
import { natsCommand, natsServer, redisCommand, redisServer } from "../src/index.ts";
import { versionOf } from "../src/server-command.ts";

afterEach(() => void vi.unstubAllEnvs());

test("a NATS server new enough for atomic batches is found and answers", async () => {
  await using server = await natsServer();
  const connection = await connect({ servers: server.url });
  const [major = 0, minor = 0] = (connection.info?.version ?? "").split(".").map(Number);
  await connection.close();
  expect(major * 100 + minor).toBeGreaterThanOrEqual(212);
});

test("a Redis server new enough for WAITAOF is found and answers", async () => {
  await using server = await redisServer();
  const client = new Redis(server.url);
  expect(await client.set("greeting", "hello")).toBe("OK");
  expect(await client.call("WAITAOF", "1", "0", "1000")).toEqual([1, 0]);
  client.disconnect();
});

test("the environment's servers come before all others", async () => {
  vi.stubEnv("SOTTO_TEST_NATS_URL", "nats://127.0.0.1:1");
  vi.stubEnv("SOTTO_TEST_REDIS_URL", "redis://127.0.0.1:1");
  expect(await natsServer()).toMatchObject({ url: "nats://127.0.0.1:1", origin: "env" });
  expect(await redisServer()).toMatchObject({ url: "redis://127.0.0.1:1", origin: "env" });
});

test("both servers can be had without Docker", { timeout: 120_000 }, async () => {
  expect(await versionOf(await natsCommand())).toMatch(/^\d+\.\d+\.\d+$/);
  expect(await versionOf(await redisCommand())).toMatch(/^\d+\.\d+\.\d+$/);
});

test("a Redis process keeps what it acknowledged over its end", { timeout: 120_000 }, async () => {
  const storeFolder = await mkdtemp(join(tmpdir(), "sotto-store-"));
  try {
    for (const expected of ["1", "2"]) {
      await using server = await redisServer({ storeFolder });
      expect(server.origin).toMatch(/^(path|unpacked)$/);
      const client = new Redis(server.url);
      expect(String(await client.incr("count"))).toBe(expected);
      client.disconnect();
    }
  } finally {
    await rm(storeFolder, { recursive: true, force: true });
  }
});

test("a missing server fails where all adapters are required", async () => {
  const missing = () => Promise.reject(new Error("nowhere"));
  vi.stubEnv("REQUIRE_ADAPTERS", "all");
  await expect(serverOrSkip("nothing", missing)).rejects.toThrow("nowhere");
  vi.stubEnv("REQUIRE_ADAPTERS", "");
  expect(await serverOrSkip("nothing", missing)).toBeUndefined();
});
