import { createLogger, createMetrics, runService } from "@sotto/chassis";
import { composeEdge } from "./compose.ts";
import { readConfig } from "./config.ts";

const config = readConfig();
const logger = createLogger({ service: "tcp-edge", json: config.jsonLogs });
const metrics = createMetrics({ service: "tcp-edge", processMetrics: true });
await runService((owned) => composeEdge(owned, { config, logger, metrics }), { logger });
