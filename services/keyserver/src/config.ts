import { defineConfig } from "@sotto/chassis";
import { type Static, Type } from "typebox";

const schema = Type.Object({
  natsUrl: Type.String({ minLength: 1, description: "where NATS is, nats://host:port" }),
  redisUrl: Type.String({ minLength: 1, description: "where Redis is, redis://host:port" }),
  /** Holds the server identity key; made where it is not there. */
  identityFolder: Type.String({ default: "data/keyserver" }),
  /** What invites carry, host:port. */
  address: Type.String({ default: "127.0.0.1:7443" }),
  logStreams: Type.Integer({ minimum: 1, maximum: 64, default: 4 }),
  adminHost: Type.String({ default: "127.0.0.1" }),
  adminPort: Type.Integer({ minimum: 0, maximum: 65_535, default: 9501 }),
  jsonLogs: Type.Boolean({ default: true }),
});

/** Settings of the keyserver as a process of its own. */
export type KeyserverConfig = Static<typeof schema>;

/** Throws `ConfigError`, which names every problem. */
export function readConfig(): KeyserverConfig {
  return defineConfig(schema, {
    natsUrl: "SOTTO_NATS_URL",
    redisUrl: "SOTTO_REDIS_URL",
    identityFolder: "SOTTO_IDENTITY",
    address: "SOTTO_ADDRESS",
    logStreams: "SOTTO_LOG_STREAMS",
    adminHost: "SOTTO_ADMIN_HOST",
    adminPort: "SOTTO_ADMIN_PORT",
    jsonLogs: "SOTTO_JSON_LOGS",
  }).load(process.env);
}
