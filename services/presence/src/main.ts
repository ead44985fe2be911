import { createLogger, createMetrics, runService } from "@sotto/chassis";
import { composePresence } from "./compose.ts";
import { readConfig } from "./config.ts";

const config = readConfig();
const logger = createLogger({ service: "presence", json: config.jsonLogs });
const metrics = createMetrics({ service: "presence", processMetrics: true });
await runService((owned) => composePresence(owned, { config, logger, metrics }), { logger });
