import { StartError } from "@sotto/chassis";
import { processConfig } from "./config.ts";
import { run } from "./program.ts";

try {
  process.exitCode = await run(process.argv.slice(2), {
    ...processConfig(),
    out: (text) => void process.stdout.write(text),
    complain: (text) => void process.stderr.write(text),
  });
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`sotto-admin: ${error.message}\n`);
  process.exitCode = 1;
}
