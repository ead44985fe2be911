import { createLogger, createMetrics, runService } from "@sotto/chassis";
import { composeMedia } from "./compose.ts";
import { readConfig } from "./config.ts";

const config = readConfig();
const logger = createLogger({ service: "media", json: config.jsonLogs });
const metrics = createMetrics({ service: "media", processMetrics: true });
await runService((owned) => composeMedia(owned, { config, logger, metrics }), { logger });
