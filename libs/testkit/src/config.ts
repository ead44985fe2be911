import { homedir } from "node:os";
import { join } from "node:path";

/** What the environment says about the servers that tests may use. */
export interface TestkitConfig {
  readonly natsUrl: string | undefined;
  readonly redisUrl: string | undefined;
  /** True where a missing server must fail instead of skipping (`REQUIRE_ADAPTERS=all`). */
  readonly requireAdapters: boolean;
  /** Where unpacked servers are kept between runs. */
  readonly cacheFolder: string;
  readonly searchPath: string;
}

/** Reads `SOTTO_TEST_*`, `REQUIRE_ADAPTERS`, `XDG_CACHE_HOME` and `PATH` once. */
export function readConfig(): TestkitConfig {
  const env = process.env;
  // The reaper's image is one more download, and a test's own disposal does its work.
  env.TESTCONTAINERS_RYUK_DISABLED ??= "true";
  return {
    natsUrl: env.SOTTO_TEST_NATS_URL || undefined,
    redisUrl: env.SOTTO_TEST_REDIS_URL || undefined,
    requireAdapters: env.REQUIRE_ADAPTERS === "all",
    cacheFolder: join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "sotto"),
    searchPath: env.PATH ?? "",
  };
}
