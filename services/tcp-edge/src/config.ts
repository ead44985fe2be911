import { defineConfig } from "@sotto/chassis";
import { type Static, Type } from "typebox";

const port = (fallback: number) => Type.Integer({ minimum: 0, maximum: 65_535, default: fallback });

const schema = Type.Object({
  natsUrl: Type.String({ minLength: 1, description: "where NATS is, nats://host:port" }),
  mediaUrl: Type.String({
    minLength: 1,
    description: "where the media service is, http://host:port",
  }),
  mediaToken: Type.String({ minLength: 16, description: "the secret of edges and media services" }),
  edge: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  host: Type.String({ default: "127.0.0.1" }),
  port: port(7443),
  dataFolder: Type.String({ default: "data/tcp-edge" }),
  tlsKeyFile: Type.Optional(Type.String({ minLength: 1 })),
  tlsCertificateFile: Type.Optional(Type.String({ minLength: 1 })),
  proxies: Type.Array(Type.String(), { default: [] }),
  origins: Type.Optional(Type.Array(Type.String())),
  connectionsMax: Type.Integer({ minimum: 1, default: 20_000 }),
  drainAddress: Type.Optional(Type.String({ minLength: 1 })),
  logStreams: Type.Integer({ minimum: 1, maximum: 64, default: 4 }),
  adminHost: Type.String({ default: "127.0.0.1" }),
  adminPort: port(9500),
  jsonLogs: Type.Boolean({ default: true }),
});

/** Settings of an edge as a process of its own. */
export type ProcessConfig = Static<typeof schema>;

/** Throws `ConfigError`, which names every problem. */
export function readConfig(): ProcessConfig {
  return defineConfig(schema, {
    natsUrl: "SOTTO_NATS_URL",
    mediaUrl: "SOTTO_MEDIA_URL",
    mediaToken: "SOTTO_MEDIA_TOKEN",
    edge: "SOTTO_EDGE",
    host: "SOTTO_HOST",
    port: "SOTTO_PORT",
    dataFolder: "SOTTO_DATA",
    tlsKeyFile: "SOTTO_TLS_KEY",
    tlsCertificateFile: "SOTTO_TLS_CERTIFICATE",
    proxies: "SOTTO_PROXIES",
    origins: "SOTTO_ORIGINS",
    connectionsMax: "SOTTO_CONNECTIONS_MAX",
    drainAddress: "SOTTO_DRAIN_ADDRESS",
    logStreams: "SOTTO_LOG_STREAMS",
    adminHost: "SOTTO_ADMIN_HOST",
    adminPort: "SOTTO_ADMIN_PORT",
    jsonLogs: "SOTTO_JSON_LOGS",
  }).load(process.env);
}
