import type { Logger, Metrics } from "@sotto/chassis";
import type { StateChange } from "./availability.ts";

/** Every metric and log line of the presence service. */
export interface PresenceEvents {
  /** People are told of a user's state. */
  announced(change: StateChange): void;
  announcementFailed(error: unknown): void;
  edgeDied(edge: string): void;
  edgeEnded(edge: string): void;
  staleIgnored(): void;
  gapFound(): void;
  boundReached(): void;
  malformed(subject: string): void;
  dropped(subject: string, count: number): void;
  asked(): void;
  tookOver(pending: number): void;
  yielded(): void;
  becameReady(): void;
  stoodStill(ms: number): void;
  failed(error: unknown): void;
}

export interface PresenceFigures {
  users(): number;
  edges(): number;
  speaks(): boolean;
}

export function presenceEvents(
  logger: Logger,
  metrics: Metrics,
  figures: PresenceFigures,
): PresenceEvents {
  metrics.gaugeOf({ name: "users", help: "Users who are online or idle" }, figures.users);
  metrics.gaugeOf({ name: "edges", help: "Edges that are alive" }, figures.edges);
  metrics.gaugeOf({ name: "speaks", help: "1 where this replica announces" }, () =>
    figures.speaks() ? 1 : 0,
  );
  const announced = metrics.counter({
    name: "announced_total",
    help: "States that people were told",
    labels: ["state"],
  });
  const ignored = metrics.counter({
    name: "ignored_total",
    help: "Messages of edges and replicas that changed nothing",
    labels: ["reason"],
  });
  const deaths = metrics.counter({ name: "edge_deaths_total", help: "Edges that fell silent" });
  const asks = metrics.counter({ name: "asks_total", help: "Times that leases were asked for" });
  return {
    announced: ({ state }) => announced.add(1, { state: state ?? "offline" }),
    announcementFailed: (error) =>
      logger.warn("a state could not be announced", { err: errorOf(error) }),
    edgeDied(edge) {
      deaths.add(1);
      logger.warn("an edge fell silent, its users are gone", { edge });
    },
    edgeEnded: (edge) => logger.info("an edge said goodbye", { edge }),
    staleIgnored: () => ignored.add(1, { reason: "stale" }),
    gapFound: () => ignored.add(1, { reason: "gap" }),
    boundReached() {
      ignored.add(1, { reason: "full" });
    },
    malformed(subject) {
      ignored.add(1, { reason: "malformed" });
      logger.warn("a message could not be read", { subject });
    },
    dropped(subject, count) {
      ignored.add(count, { reason: "dropped" });
      logger.warn("messages were dropped", { subject, count });
    },
    asked: () => asks.add(1),
    tookOver: (pending) => logger.info("this replica announces now", { pending }),
    yielded: () => logger.info("another replica announces now"),
    becameReady: () => logger.info("presence is ready"),
    stoodStill: (ms) => logger.warn("the process stood still", { ms: Math.round(ms) }),
    failed: (error) => logger.error("a presence call failed", { err: errorOf(error) }),
  };
}

function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
