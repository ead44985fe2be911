import { StartError } from "@sotto/chassis";
import { processConfig } from "./config.ts";
import { run } from "./program.ts";

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

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
