import { Type } from "typebox";

const port = (description: string, options: { default?: number } = {}) =>
  Type.Integer({ minimum: 0, maximum: 65_535, description, ...options });
const text = (description: string) => Type.String({ minLength: 1, maxLength: 1024, description });
const optionalText = (description: string) => Type.Optional(text(description));
/** A setting whose value is never shown, and may stand in a file that `<VARIABLE>_FILE` names. */
const secret = (description: string) =>
  Type.String({ minLength: 16, maxLength: 1024, description, secret: true });

/**
 * Every setting of every server program: the embedded server and the four services take theirs from here, and
 * `.env.example` explains each in these words.
 */
export const settings = {
  // Where clients find the server.
  domain: optionalText(
    "the server's public name; with it the published port is 443 on all addresses",
  ),
  port: port("the port for clients", { default: 7443 }),
  host: Type.String({
    minLength: 1,
    default: "127.0.0.1",
    description: "the address to listen on; 0.0.0.0 or :: opens the server to other machines",
  }),
  bind: optionalText("with Compose: the machine's address that the port is published on"),
  address: optionalText(
    "what invites carry, host or host:port, where it is not worked out rightly",
  ),
  limits: Type.Array(Type.String({ pattern: "^\\w+=\\d{1,15}$" }), {
    default: [],
    description: "other values for limits of PROTOCOL.md, name=number, comma-separated",
  }),
  origins: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      description:
        "web origins that may open a WebSocket, comma-separated; default: the server's own",
    }),
  ),

  // TLS.
  tlsKeyFile: optionalText("PEM file of the TLS key; read again when it changes"),
  tlsCertificateFile: optionalText(
    "PEM file of the TLS certificate chain; read again when it changes",
  ),
  tlsFolder: optionalText(
    "with Compose: the folder of this machine that holds privkey.pem and fullchain.pem",
  ),

  // What is kept, and where.
  data: text("the folder in which everything is kept"),
  identityFolder: text("the folder of the server identity key, which invites pin"),
  blobsFolder: text("the folder of the sealed pieces of files and videos"),
  adminSocket: optionalText("the socket on which sotto-admin reaches the server"),

  // How an edge serves.
  edge: Type.Optional(
    Type.String({ minLength: 1, maxLength: 128, description: "the edge's name; default: random" }),
  ),
  proxies: Type.Array(Type.String({ minLength: 1 }), {
    default: [],
    description: "addresses or networks of proxies that send the PROXY header, comma-separated",
  }),
  connectionsMax: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 20_000,
    description: "connections that one edge takes at once",
  }),
  drainAddress: optionalText(
    "where clients are sent when an edge drains; default: the same address",
  ),
  drainDelayMs: Type.Integer({
    minimum: 0,
    maximum: 4000,
    default: 0,
    description: "an edge says at /readyz that it is leaving so long before it drains, ms",
  }),
  drainSpreadMs: Type.Integer({
    minimum: 0,
    maximum: 60_000,
    default: 5000,
    description:
      "clients of an edge that drains come back spread over 20 ms each, this at most, ms",
  }),

  // How the services find each other.
  natsUrl: text("where NATS is, nats://host:port"),
  natsUser: optionalText("this service's user at NATS"),
  natsPassword: Type.Optional(secret("its password")),
  redisUrl: text("where Redis is, redis://host:port"),
  redisUser: optionalText("the keyserver's user at Redis"),
  redisPassword: Type.Optional(secret("its password")),
  mediaUrl: text("where the media service is, http://host:port"),
  mediaToken: secret("the secret of edges and media services"),
  mediaLinkHost: Type.String({
    minLength: 1,
    default: "127.0.0.1",
    description: "the address on which media listens for edges",
  }),
  mediaLinkPort: port("its port", { default: 7500 }),
  logStreams: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 4,
    description: "streams that rooms are spread over; may not change once messages are stored",
  }),
  logReplicas: Type.Integer({
    minimum: 1,
    maximum: 5,
    default: 1,
    description: "NATS servers that store each message: 1 on a single server, 3 on a cluster",
  }),
  redisReplicas: Type.Integer({
    minimum: 0,
    maximum: 5,
    default: 0,
    description: "Redis replicas that must have synced a record before it is acknowledged",
  }),
  replicaId: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description: "a presence replica's name; default: random",
    }),
  ),

  // What the operator sees.
  adminHost: Type.String({
    minLength: 1,
    default: "127.0.0.1",
    description: "the address of the port for health and metrics",
  }),
  adminPort: port("the port for health and metrics; 0 takes any free one", { default: 0 }),
  jsonLogs: Type.Boolean({ default: true, description: "one JSON object a line instead of text" }),
} as const;

export type Settings = typeof settings;

/** The environment variable of each setting. */
export const variables: { readonly [Name in keyof Settings]: string } = {
  domain: "SOTTO_DOMAIN",
  port: "SOTTO_PORT",
  host: "SOTTO_HOST",
  bind: "SOTTO_BIND",
  address: "SOTTO_ADDRESS",
  limits: "SOTTO_LIMITS",
  origins: "SOTTO_ORIGINS",
  tlsKeyFile: "SOTTO_TLS_KEY",
  tlsCertificateFile: "SOTTO_TLS_CERTIFICATE",
  tlsFolder: "SOTTO_TLS_FOLDER",
  data: "SOTTO_DATA",
  identityFolder: "SOTTO_IDENTITY",
  blobsFolder: "SOTTO_BLOBS_FOLDER",
  adminSocket: "SOTTO_ADMIN_SOCKET",
  edge: "SOTTO_EDGE",
  proxies: "SOTTO_PROXIES",
  connectionsMax: "SOTTO_CONNECTIONS_MAX",
  drainAddress: "SOTTO_DRAIN_ADDRESS",
  drainDelayMs: "SOTTO_DRAIN_DELAY_MS",
  drainSpreadMs: "SOTTO_DRAIN_SPREAD_MS",
  natsUrl: "SOTTO_NATS_URL",
  natsUser: "SOTTO_NATS_USER",
  natsPassword: "SOTTO_NATS_PASSWORD",
  redisUrl: "SOTTO_REDIS_URL",
  redisUser: "SOTTO_REDIS_USER",
  redisPassword: "SOTTO_REDIS_PASSWORD",
  mediaUrl: "SOTTO_MEDIA_URL",
  mediaToken: "SOTTO_MEDIA_TOKEN",
  mediaLinkHost: "SOTTO_MEDIA_LINK_HOST",
  mediaLinkPort: "SOTTO_MEDIA_LINK_PORT",
  logStreams: "SOTTO_LOG_STREAMS",
  logReplicas: "SOTTO_LOG_REPLICAS",
  redisReplicas: "SOTTO_REDIS_REPLICAS",
  replicaId: "SOTTO_REPLICA_ID",
  adminHost: "SOTTO_ADMIN_HOST",
  adminPort: "SOTTO_ADMIN_PORT",
  jsonLogs: "SOTTO_JSON_LOGS",
};

/** The JSON file that holds settings which the environment does not. */
export const fileVariable = "SOTTO_CONFIG";

export function variableOf(name: keyof Settings): string {
  return variables[name];
}
