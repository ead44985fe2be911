import type { Bus, BusSubscription } from "@sotto/bus";
import type { Logger, Metrics } from "@sotto/chassis";
import type { Clock } from "@sotto/clock";
import {
  PresenceSnapshotRequestSchema,
  PresenceSnapshotResponseSchema,
  serve,
  subjects,
} from "@sotto/interservice";
import { fromHex, parseUserId } from "@sotto/protocol";
import { wireState } from "./availability.ts";
import { type PresenceEvents, presenceEvents } from "./events.ts";
import { type PresenceLimits, presenceLimits } from "./presence-limits.ts";
import { PresenceReplica } from "./presence-replica.ts";
import { MalformedMessage } from "./wire-messages.ts";

export interface PresenceOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Unique among the replicas that share the bus. */
  readonly replicaId: string;
  /** No other replica can exist: it announces at once instead of listening first. Default false. */
  readonly soleReplica?: boolean;
  readonly limits?: Partial<PresenceLimits>;
}

/** A running replica. Disposing hands over to another one at once. */
export interface Presence extends AsyncDisposable {
  /** True once it holds the whole and the bus carries messages. */
  ready(): boolean;
}

/** Messages of edges that wait to be handled; beyond it they are dropped and leases asked for. */
const pendingMessagesMax = 16_384;

/** Starts a replica of the presence service. */
export async function startPresence(options: PresenceOptions): Promise<Presence> {
  const { bus, clock, logger, metrics, soleReplica = false } = options;
  const limits = { ...presenceLimits, ...options.limits };
  const events = presenceEvents(logger, metrics, {
    users: () => replica.userCount,
    edges: () => replica.edgeCount,
    speaks: () => replica.speaks,
  });
  const replica = new PresenceReplica({ id: options.replicaId, bus, clock, limits, events });
  await using started = new AsyncDisposableStack();
  await listen(bus, replica, events, started);
  const every = (periodMs: number, run: () => void) => {
    const timer = clock.every(periodMs, run);
    started.defer(() => timer.cancel());
  };
  every(limits.sweepPeriodMs, () => replica.sweep());
  every(limits.heartbeatPeriodMs, () => replica.beat());
  const timers = soleReplica
    ? []
    : [
        clock.after(limits.quietAtStartMs, () => replica.becomeReady()),
        clock.after(limits.gatherMs, () => void answerSnapshots()),
      ];
  started.defer(() => {
    for (const timer of timers) timer.cancel();
  });

  let snapshots: Promise<BusSubscription> | undefined;
  const answerSnapshots = async () => {
    snapshots = serveSnapshots(bus, replica, limits, events);
    await snapshots.catch((error: unknown) => events.failed(error));
  };
  started.defer(async () => {
    const serving = await snapshots?.catch(() => undefined);
    await serving?.[Symbol.asyncDispose]();
  });
  if (soleReplica) {
    replica.becomeReady();
    await answerSnapshots();
  } else replica.beat();
  replica.ask();

  started.defer(() => replica.retire());
  const running = started.move();
  return {
    ready: () => replica.ready && bus.connected,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function listen(
  bus: Bus,
  replica: PresenceReplica,
  events: PresenceEvents,
  owned: AsyncDisposableStack,
): Promise<void> {
  const handlers: readonly [string, (data: Uint8Array) => void][] = [
    [subjects.presenceLease, (data) => replica.lease(data)],
    [subjects.presenceChange, (data) => replica.change(data)],
    [subjects.presenceState, (data) => replica.stateChanged(data)],
    [subjects.presenceReplica, (data) => replica.heartbeatOf(data)],
  ];
  for (const [subject, handle] of handlers) {
    const subscription = await bus.subscribe(
      subject,
      ({ data }) => {
        try {
          handle(data);
        } catch (error) {
          if (!(error instanceof MalformedMessage)) throw error;
          events.malformed(subject);
        }
      },
      {
        pendingMax: pendingMessagesMax,
        onDropped(count) {
          events.dropped(subject, count);
          replica.ask();
        },
      },
    );
    owned.use(subscription);
  }
}

function serveSnapshots(
  bus: Bus,
  replica: PresenceReplica,
  limits: PresenceLimits,
  events: PresenceEvents,
): Promise<BusSubscription> {
  return serve(
    bus,
    subjects.presenceSnapshot,
    "presence",
    PresenceSnapshotRequestSchema,
    PresenceSnapshotResponseSchema,
    async ({ users }) => ({
      entries: replica
        .statesOf(users.slice(0, limits.snapshotUsersMax).map((user) => parseUserId(user)))
        .map(({ user, state }) => ({ user: fromHex(user), state: wireState(state) })),
      ready: replica.ready,
    }),
    { onFailure: (error) => events.failed(error) },
  );
}
