import { connectNatsBus } from "@sotto/bus/nats";
import {
  type Logger,
  type Metrics,
  type RunningService,
  StartError,
  startAdmin,
} from "@sotto/chassis";
import { systemClock } from "@sotto/clock";
import { DirectoryStoreError } from "@sotto/directory";
import { openRedisDirectory } from "@sotto/directory/redis";
import { makeInvite, RecordError, sha256 } from "@sotto/identity";
import { openJetStreamLog } from "@sotto/log/jetstream";
import { natsOf, type PublicAddress, publicAddress } from "@sotto/settings";
import type { KeyserverConfig } from "./config.ts";
import { serveOperator } from "./operator/operator-socket.ts";
import { loadServerKeys, type ServerKeys } from "./server-keys.ts";
import { type KeyserverService, startKeyserver } from "./start-keyserver.ts";

export interface ComposeDeps {
  readonly config: KeyserverConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Told the owner's invite while the server has no owner. */
  readonly invited: (invite: { readonly invite: string; readonly link: string }) => void;
}

/** A keyserver as a process of its own: bus and log on NATS, directory on Redis. All of it goes into `owned`. */
export async function composeKeyserver(
  owned: AsyncDisposableStack,
  { config, logger, metrics, invited }: ComposeDeps,
): Promise<RunningService> {
  const clock = systemClock;
  const onError = (error: unknown) =>
    logger.error("a handler of the bus failed", { error: String(error) });
  const keys = await loadServerKeys(config.identityFolder);
  const bus = owned.use(await connectNatsBus({ ...natsOf(config), name: "keyserver", onError }));
  const log = owned.use(
    await openJetStreamLog({
      server: { ...natsOf(config), name: "keyserver log" },
      clock,
      streams: config.logStreams,
      replicas: config.logReplicas,
    }),
  );
  const store = owned.use(
    await openRedisDirectory({
      url: config.redisUrl,
      replicas: config.redisReplicas,
      ...(config.redisUser ? { user: config.redisUser } : {}),
      ...(config.redisPassword ? { password: config.redisPassword } : {}),
    }),
  );
  const keyserver = owned.use(
    await startKeyserver({ bus, log, store, clock, logger, metrics, keys }).catch(explain),
  );
  const checks = { keyserver: () => keyserver.ready(), bus: () => bus.connected };
  const { adminHost: host, adminPort: port } = config;
  owned.use(await startAdmin({ host, port, metrics, checks, logger }));
  const address = reachableAt(config);
  if (config.adminSocket) {
    const { operator } = keyserver;
    const path = config.adminSocket;
    owned.use(await serveOperator({ operator, path, keys, address: () => address, logger }));
  }
  await tellOwnerInvite(keyserver, keys, address, invited);
  return {};
}

/** One clear line for what an operator must look at; anything else stays as it is. */
function explain(cause: unknown): never {
  const untrue =
    cause instanceof RecordError ||
    (cause instanceof DirectoryStoreError && cause.code === "CORRUPT");
  if (!untrue) throw cause;
  throw new StartError(
    `the key directory is damaged: ${cause.message}; restore it from a backup (docs/operating.md)`,
    { cause },
  );
}

/** What invites carry: the published port is 443 with a domain, unless another is set. */
function reachableAt({ address, domain, bind, port }: KeyserverConfig): PublicAddress {
  const published = port || (domain ? 443 : 7443);
  return publicAddress({ host: bind ?? "127.0.0.1", address: address ?? domain }, published);
}

async function tellOwnerInvite(
  keyserver: KeyserverService,
  { identityKey, logKey }: ServerKeys,
  address: PublicAddress,
  invited: ComposeDeps["invited"],
): Promise<void> {
  const secret = await keyserver.ownerInvite();
  if (!secret) return;
  const serverKeySha256 = await sha256(identityKey.publicKey);
  invited(
    makeInvite({
      host: address.host,
      port: address.port,
      serverKeySha256,
      logKey: logKey.publicKey,
      rooms: [],
      secret,
      expiresAt: 0,
    }),
  );
}
