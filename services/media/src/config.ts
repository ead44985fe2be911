import { defineConfig } from "@sotto/chassis";
import { type Static, Type } from "typebox";

const schema = Type.Object({
  natsUrl: Type.String({ minLength: 1, description: "where NATS is, nats://host:port" }),
  blobsFolder: Type.String({ minLength: 1, description: "folder that holds the sealed pieces" }),
  linkHost: Type.String({ default: "127.0.0.1" }),
  linkPort: Type.Integer({ minimum: 0, maximum: 65_535, default: 7500 }),
  linkToken: Type.String({ minLength: 16, description: "the secret of edges and media services" }),
  adminHost: Type.String({ default: "127.0.0.1" }),
  adminPort: Type.Integer({ minimum: 0, maximum: 65_535, default: 9503 }),
  jsonLogs: Type.Boolean({ default: true }),
});

/** Settings of the media service as a process of its own. */
export type MediaConfig = Static<typeof schema>;

/** Throws `ConfigError`, which names every problem. */
export function readConfig(): MediaConfig {
  return defineConfig(schema, {
    natsUrl: "SOTTO_NATS_URL",
    blobsFolder: "SOTTO_BLOBS_FOLDER",
    linkHost: "SOTTO_MEDIA_LINK_HOST",
    linkPort: "SOTTO_MEDIA_LINK_PORT",
    linkToken: "SOTTO_MEDIA_TOKEN",
    adminHost: "SOTTO_ADMIN_HOST",
    adminPort: "SOTTO_ADMIN_PORT",
    jsonLogs: "SOTTO_JSON_LOGS",
  }).load(process.env);
}
