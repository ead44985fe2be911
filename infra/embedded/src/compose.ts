import { join } from "node:path";
import { BlobStoreError } from "@sotto/blobs";
import { openFileSystemBlobs } from "@sotto/blobs/file-system";
import type { Bus } from "@sotto/bus";
import { createInProcessBus } from "@sotto/bus/in-process";
import {
  combineMetrics,
  createMetrics,
  type Logger,
  type RunningService,
  StartError,
  startAdmin,
} from "@sotto/chassis";
import { systemClock } from "@sotto/clock";
import { type DirectoryStore, DirectoryStoreError } from "@sotto/directory";
import { openSqliteDirectory } from "@sotto/directory/sqlite";
import { makeInvite, RecordError, sha256 } from "@sotto/identity";
import {
  type KeyserverService,
  loadServerKeys,
  type ServerKeys,
  serveOperator,
  startKeyserver,
} from "@sotto/keyserver";
import { type Log, LogError } from "@sotto/log";
import { openSegmentLog } from "@sotto/log/segment";
import { startMedia } from "@sotto/media";
import type { MediaLink } from "@sotto/media-link";
import { createInProcessMediaLink } from "@sotto/media-link/in-process";
import { startPresence } from "@sotto/presence";
import { adminSocketPath, type PublicAddress, publicAddress } from "@sotto/settings";
import { type Edge, startEdge } from "@sotto/tcp-edge";
import type { Announced } from "./announcement.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import type { ServerOptions } from "./options.ts";

/** A whole server that runs in this process. */
export interface EmbeddedServer extends RunningService {
  readonly announced: Announced;
}

/** What a test may put around the ports of the services. */
export interface Overrides {
  bus?(bus: Bus): Bus;
  mediaLink?(link: MediaLink): MediaLink;
  log?(log: Log): Log;
  directory?(store: DirectoryStore): DirectoryStore;
}

/**
 * Composes the four services on the embedded adapters. What it starts goes into `owned`, the edge last, so that
 * it goes first. Rejects with `StartError`, one clear line, where a person can mend what is wrong.
 */
export async function startServer(
  options: ServerOptions,
  logger: Logger,
  owned: AsyncDisposableStack,
  overrides: Overrides = {},
): Promise<EmbeddedServer> {
  const data = owned.use(await openDataFolder(options.data));
  try {
    return await compose(options, data, logger, owned, overrides);
  } catch (error) {
    throw explain(error, options);
  }
}

async function compose(
  options: ServerOptions,
  data: DataFolder,
  logger: Logger,
  owned: AsyncDisposableStack,
  overrides: Overrides,
): Promise<EmbeddedServer> {
  const clock = systemClock;
  const metricsOf = (service: string) =>
    createMetrics({ service, processMetrics: service === "tcp-edge" });
  const metrics = {
    edge: metricsOf("tcp-edge"),
    keyserver: metricsOf("keyserver"),
    presence: metricsOf("presence"),
    media: metricsOf("media"),
  };
  const part = (service: string) => logger.child({ service });
  const keys = await loadServerKeys(data.path);
  const onError = (error: unknown) => logger.error("a handler failed", { err: errorOf(error) });
  const ownBus = owned.use(createInProcessBus({ onError }));
  const bus = overrides.bus?.(ownBus) ?? ownBus;
  const ownLog = owned.use(await openSegmentLog({ folder: await data.part("log"), clock }));
  const log = overrides.log?.(ownLog) ?? ownLog;
  const ownStore = owned.use(await openSqliteDirectory({ folder: await data.part("directory") }));
  const store = overrides.directory?.(ownStore) ?? ownStore;
  const blobs = owned.use(await openFileSystemBlobs({ folder: await data.part("media") }));
  const { link, serve } = createInProcessMediaLink();
  const keyserver = owned.use(
    await startKeyserver({
      bus,
      log,
      store,
      clock,
      logger: part("keyserver"),
      metrics: metrics.keyserver,
      keys,
    }),
  );
  const presence = owned.use(
    await startPresence({
      bus,
      clock,
      logger: part("presence"),
      metrics: metrics.presence,
      replicaId: "embedded",
      soleReplica: true,
    }),
  );
  const media = owned.use(
    await startMedia({
      bus,
      blobs,
      serveLink: async (handler) => serve(handler),
      clock,
      logger: part("media"),
      metrics: metrics.media,
    }),
  );
  const edge = owned.use(
    await startEdge({
      bus,
      log,
      mediaLink: overrides.mediaLink?.(link) ?? link,
      clock,
      logger: part("tcp-edge"),
      metrics: metrics.edge,
      config: {
        edge: "embedded",
        host: options.host,
        port: options.port,
        certificate: options.tls
          ? { kind: "files", ...options.tls }
          : {
              kind: "folder",
              folder: await data.part("tls"),
              ...(options.tlsFolder ? { given: options.tlsFolder } : {}),
            },
        proxies: options.proxies,
        origins: options.origins,
        limits: options.limits,
      },
    }),
  );
  const services = { keyserver, presence, media, "tcp-edge": edge };
  const checks = Object.fromEntries(
    Object.entries(services).map(([name, service]) => [name, () => service.ready()]),
  );
  const admin = owned.use(
    await startAdmin({
      port: options.adminPort,
      metrics: combineMetrics(Object.values(metrics)),
      checks,
      logger: part("admin"),
    }),
  );
  const reachable = publicAddress(options, edge.address.port);
  owned.use(
    await serveOperator({
      operator: keyserver.operator,
      path: options.adminSocket ?? adminSocketPath(data.path),
      keys,
      address: () => reachable,
      logger: part("keyserver"),
    }),
  );
  return {
    announced: {
      listening: edge.address,
      admin: { host: admin.host, port: admin.port },
      reachable,
      data: data.path,
      ownerInvite: await ownerInvite(keyserver, keys, reachable),
    },
    drain: () => drain(edge),
  };
}

async function drain(edge: Edge): Promise<void> {
  await edge.drain();
}

async function ownerInvite(
  keyserver: KeyserverService,
  { identityKey, logKey }: ServerKeys,
  reachable: PublicAddress,
) {
  const secret = await keyserver.ownerInvite();
  if (!secret) return undefined;
  const serverKeySha256 = await sha256(identityKey.publicKey);
  return makeInvite({
    host: reachable.host,
    port: reachable.port,
    serverKeySha256,
    logKey: logKey.publicKey,
    rooms: [],
    secret,
    expiresAt: 0,
  });
}

/** One clear line for what a person can mend; anything else stays as it is. */
function explain(error: unknown, options: ServerOptions): unknown {
  if (error instanceof StartError) return error;
  if (
    error instanceof LogError ||
    error instanceof DirectoryStoreError ||
    error instanceof BlobStoreError
  ) {
    const where = join(options.data, folderOf(error));
    return new StartError(
      `the data in ${where} cannot be used: ${error.message}; restore it from a backup, or start with another --data`,
      {
        cause: error,
      },
    );
  }
  if (error instanceof RecordError) {
    return new StartError(
      `the key directory in ${options.data} is damaged: ${error.message}; restore it from a backup`,
      { cause: error },
    );
  }
  const code = (error as NodeJS.ErrnoException).code;
  const at = `${options.host}:${options.port}`;
  if (code === "EADDRINUSE")
    return new StartError(`${at} is taken by another program; choose another --port`, {
      cause: error,
    });
  if (code === "EACCES" || code === "EADDRNOTAVAIL")
    return new StartError(`cannot listen on ${at} (${code})`, { cause: error });
  return error;
}

function folderOf(error: LogError | DirectoryStoreError | BlobStoreError): string {
  if (error instanceof LogError) return "log";
  return error instanceof BlobStoreError ? "media" : "directory";
}

function errorOf(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
