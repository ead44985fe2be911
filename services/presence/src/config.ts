import { defineConfig } from "@sotto/chassis";
import { type Static, Type } from "typebox";

const schema = Type.Object({
  natsUrl: Type.String({ minLength: 1, description: "where NATS is, nats://host:port" }),
  replicaId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  adminHost: Type.String({ default: "127.0.0.1" }),
  adminPort: Type.Integer({ minimum: 0, maximum: 65_535, default: 9502 }),
  jsonLogs: Type.Boolean({ default: true }),
});

/** Settings of the presence service as a process of its own. */
export type PresenceConfig = Static<typeof schema>;

/** Throws `ConfigError`, which names every problem. */
export function readConfig(): PresenceConfig {
  return defineConfig(schema, {
    natsUrl: "SOTTO_NATS_URL",
    replicaId: "SOTTO_REPLICA_ID",
    adminHost: "SOTTO_ADMIN_HOST",
    adminPort: "SOTTO_ADMIN_PORT",
    jsonLogs: "SOTTO_JSON_LOGS",
  }).load(process.env);
}
