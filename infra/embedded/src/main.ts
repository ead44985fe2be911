import { createLogger, runService, StartError } from "@sotto/chassis";
import { announceJson, announceToPeople } from "./announcement.ts";
import { startServer } from "./compose.ts";
import { processOptions } from "./config.ts";
import { helpText, type ServerOptions, UsageError } from "./options.ts";

/** A person who reads the terminal wants to hear of trouble only; a program wants everything. */
async function run(options: ServerOptions): Promise<void> {
  const level = options.jsonLogs ? "info" : "warn";
  const destination = options.jsonLogs ? process.stdout : process.stderr;
  const logger = createLogger({ service: "sotto", level, json: options.jsonLogs, destination });
  await runService(
    async (owned) => {
      const server = await startServer(options, logger, owned);
      const text = options.jsonLogs
        ? announceJson(server.announced)
        : await announceToPeople(server.announced, process.stdout.isTTY === true);
      process.stdout.write(text);
      return server;
    },
    { logger },
  );
}

try {
  const options = processOptions();
  if (options === "help") process.stdout.write(`${helpText}\n`);
  else await run(options);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`sotto: ${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
