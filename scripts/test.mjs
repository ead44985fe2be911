// Runs the whole suite and closes with one plain line that counts it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "sotto-test-"));
const report = join(folder, "report.json");
const vitest = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs");
// The suite of containers: npm run test:compose.
const [suite, ...rest] = process.argv.slice(2);
const composed = suite === "compose";
const run = spawnSync(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    vitest,
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...(composed ? rest : process.argv.slice(2)),
  ],
  {
    stdio: "inherit",
    env: { ...process.env, ...(composed ? { SOTTO_TEST_SUITE: "compose" } : {}) },
  },
);
let failed = true;
if (existsSync(report)) {
  const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites } = JSON.parse(
    readFileSync(report, "utf8"),
  );
  process.stdout.write(
    `\n${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped\n`,
  );
  failed = numFailedTests > 0 || numFailedTestSuites > 0 || numPassedTests === 0;
}
rmSync(folder, { recursive: true, force: true });
process.exit(run.status !== 0 || failed ? 1 : 0);
