import { afterAll, describe } from "vitest";
import { readConfig } from "./config.ts";
import { type NatsServerOptions, natsServer } from "./nats-server.ts";
import { type RedisServerOptions, redisServer } from "./redis-server.ts";
import type { TestServer } from "./test-servers.ts";

/**
 * A started server, or undefined where there is none and the run does not require it; then
 * standard error says why, loudly. With `REQUIRE_ADAPTERS=all` a missing server throws.
 */
export async function serverOrSkip(
  name: string,
  start: () => Promise<TestServer>,
): Promise<TestServer | undefined> {
  try {
    return await start();
  } catch (error) {
    if (readConfig().requireAdapters) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`\n!!! SKIPPED: tests that need ${name}: ${reason}\n\n`);
    return undefined;
  }
}

/** `await describeWithNats(title, (url) => { … })`: one NATS server for the suite, stopped at its end. */
export async function describeWithNats(
  title: string,
  body: (url: string) => void,
  options: NatsServerOptions = {},
): Promise<void> {
  describeWith(title, await serverOrSkip("NATS", () => natsServer(options)), body);
}

/** `await describeWithRedis(title, (url) => { … })`: one Redis server for the suite, stopped at its end. */
export async function describeWithRedis(
  title: string,
  body: (url: string) => void,
  options: RedisServerOptions = {},
): Promise<void> {
  describeWith(title, await serverOrSkip("Redis", () => redisServer(options)), body);
}

function describeWith(
  title: string,
  server: TestServer | undefined,
  body: (url: string) => void,
): void {
  describe.skipIf(!server)(title, () => {
    afterAll(() => server?.[Symbol.asyncDispose]());
    body(server?.url ?? "");
  });
}
