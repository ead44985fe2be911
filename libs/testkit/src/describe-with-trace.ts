import { describe } from "vitest";
import { readConfig } from "./config.ts";
import { traceMissing } from "./trace-files.ts";

/**
 * `await describeWithTrace(title, () => { … })`: a suite that records processes. Where `strace` is
 * missing it is skipped, loudly; with `REQUIRE_ADAPTERS=all` it fails.
 */
export async function describeWithTrace(title: string, body: () => void): Promise<void> {
  const missing = await traceMissing();
  if (missing && readConfig().requireAdapters) throw new Error(missing);
  if (missing) process.stderr.write(`\n!!! SKIPPED: ${title}: ${missing}\n\n`);
  describe.skipIf(missing !== undefined)(title, body);
}
