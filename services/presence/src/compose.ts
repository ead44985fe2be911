import { randomUUID } from "node:crypto";
import { connectNatsBus } from "@sotto/bus/nats";
import { type Logger, type Metrics, type RunningService, startAdmin } from "@sotto/chassis";
import { systemClock } from "@sotto/clock";
import { natsOf } from "@sotto/settings";
import type { PresenceConfig } from "./config.ts";
import { startPresence } from "./start-presence.ts";

export interface ComposeDeps {
  readonly config: PresenceConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** A replica of presence as a process of its own, on NATS. All of it goes into `owned`. */
export async function composePresence(
  owned: AsyncDisposableStack,
  { config, logger, metrics }: ComposeDeps,
): Promise<RunningService> {
  const onError = (error: unknown) =>
    logger.error("a handler of the bus failed", { error: String(error) });
  const bus = owned.use(await connectNatsBus({ ...natsOf(config), name: "presence", onError }));
  const replicaId = config.replicaId ?? randomUUID();
  const presence = owned.use(
    await startPresence({ bus, clock: systemClock, logger, metrics, replicaId }),
  );
  const checks = { presence: () => presence.ready(), bus: () => bus.connected };
  const { adminHost: host, adminPort: port } = config;
  owned.use(await startAdmin({ host, port, metrics, checks, logger }));
  return {};
}
