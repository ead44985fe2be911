import { defineConfig } from "vitest/config";

// A run of containers is a run of its own: npm run test:compose.
const composed = "tests/compose/**/*.test.ts";
const onContainers = process.env["SOTTO_TEST_SUITE"] === "compose";

export default defineConfig({
  test: {
    include: onContainers
      ? [composed]
      : [
          "libs/**/*.test.ts",
          "services/**/*.test.ts",
          "clients/**/*.test.ts",
          "infra/**/*.test.ts",
          "bench/**/*.test.ts",
          "tests/**/*.test.ts",
        ],
    exclude: onContainers ? [] : ["**/node_modules/**", composed],
    pool: "forks",
    // Two cores are the smallest machine that this must pass on; stacks share them with nobody.
    maxWorkers: onContainers ? 1 : 2,
    fileParallelism: !onContainers,
    testTimeout: onContainers ? 120_000 : 30_000,
    hookTimeout: onContainers ? 300_000 : 120_000,
  },
});
