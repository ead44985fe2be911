// Runs vitest, closes with one plain line that counts, and ends the process: 0 where everything passed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `args` go to vitest, `env` on top of this process's environment. */
export function runVitest(args, env = {}) {
  const folder = mkdtempSync(join(tmpdir(), "sotto-test-"));
  const report = join(folder, "report.json");
  const vitest = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs");
  const run = spawnSync(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      vitest,
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...args,
    ],
    { stdio: "inherit", env: { ...process.env, ...env } },
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
}
