import { createLogger, createMetrics, runService } from "@sotto/chassis";
import { composeKeyserver } from "./compose.ts";
import { readConfig } from "./config.ts";

const config = readConfig();
const logger = createLogger({ service: "keyserver", json: config.jsonLogs });
const metrics = createMetrics({ service: "keyserver", processMetrics: true });
const invited = (invite: { readonly invite: string; readonly link: string }) => {
  process.stdout.write(`${JSON.stringify({ event: "invite", ...invite })}\n`);
};
await runService((owned) => composeKeyserver(owned, { config, logger, metrics, invited }), {
  logger,
});
