import { defineConfig } from "vitest/config";

// Runs of their own: npm run test:compose, npm run test:trust.
const composed = "tests/compose/**/*.test.ts";
const attacks = ["tests/trust/**/*.test.ts", "libs/mls/test/vectors/**/*.test.ts"];
const suite = process.env["SOTTO_TEST_SUITE"];
const onContainers = suite === "compose";
const include = onContainers
  ? [composed]
  : suite === "trust"
    ? attacks
    : [
        "libs/**/*.test.ts",
        "services/**/*.test.ts",
        "clients/**/*.test.ts",
        "infra/**/*.test.ts",
        "bench/**/*.test.ts",
        "tests/**/*.test.ts",
      ];

export default defineConfig({
  test: {
    include,
    exclude: suite === undefined ? ["**/node_modules/**", composed, ...attacks] : [],
    globalSetup: onContainers ? ["tests/compose/images.ts"] : [],
    pool: "forks",
    setupFiles: ["tests/scenarios/explain-failures.ts"],
    // Real clients and servers meet deadlines on two shared cores: what fails twice there is broken.
    retry: process.env["CI"] ? 1 : 0,
    // Two cores are the smallest machine that this must pass on; stacks share them with nobody.
    maxWorkers: onContainers ? 1 : 2,
    fileParallelism: !onContainers,
    testTimeout: onContainers ? 120_000 : suite === "trust" ? 60_000 : 30_000,
    hookTimeout: onContainers ? 300_000 : 120_000,
  },
});
