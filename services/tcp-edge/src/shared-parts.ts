import type { Bus } from "@sotto/bus";
import type { Clock } from "@sotto/clock";
import type { Log } from "@sotto/log";
import { ErrorCode, toHex } from "@sotto/protocol";
import { ConnectedDevices } from "./connection/connected-devices.ts";
import type { Connections } from "./connection/connections.ts";
import type { EdgeParts } from "./connection/parts.ts";
import type { EdgeConfig } from "./edge-config.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import type { EdgeEvents } from "./events.ts";
import { LocalPresence } from "./presence/local-presence.ts";
import { PresenceFeed } from "./presence/presence-feed.ts";
import { Signals } from "./presence/signals.ts";
import { Archives } from "./rooms/archives.ts";
import { Confirmation } from "./rooms/confirmation.ts";
import { followLog } from "./rooms/follow-log.ts";
import { Hints } from "./rooms/hints.ts";
import { introduceNewcomers, tellMembership } from "./rooms/membership-events.ts";
import { Messages } from "./rooms/messages.ts";
import { Rooms } from "./rooms/rooms.ts";
import { type RosterChange, Rosters } from "./rooms/rosters.ts";
import type { ServiceCalls } from "./service-calls.ts";

interface SharedPartsDeps {
  readonly bus: Bus;
  readonly log: Log;
  readonly clock: Clock;
  readonly calls: ServiceCalls;
  readonly config: EdgeConfig;
  readonly limits: EdgeLimits;
  readonly events: EdgeEvents;
  readonly connections: Connections;
  readonly randomBytes: (length: number) => Uint8Array;
}

type SharedParts = Pick<
  EdgeParts,
  | "confirmation"
  | "rosters"
  | "rooms"
  | "messages"
  | "archives"
  | "devices"
  | "presence"
  | "presenceFeed"
  | "signals"
>;

/**
 * Starts what all connections share and ties it together: rosters and their changes, room tails,
 * confirmation, hints, presence and signals. Each is disposed with `stack`.
 */
export async function startSharedParts(
  stack: AsyncDisposableStack,
  deps: SharedPartsDeps,
): Promise<SharedParts> {
  const { bus, log, clock, calls, config, limits, events, connections, randomBytes } = deps;
  const devices = new ConnectedDevices(limits);
  const changed = (change: RosterChange) => {
    tellMembership(change, devices);
    introduceNewcomers(change, presenceFeed);
  };
  const rosters = new Rosters({ calls, changed });
  const rooms = stack.use(
    new Rooms({
      clock,
      log,
      follow: followLog(clock),
      rosters,
      outboxBytesMax: limits.outboxBytesMax,
      delivered: (records) => events.delivered(records),
      gapFound: () => events.gapFound(),
    }),
  );
  const presenceFeed = stack.use(await PresenceFeed.start({ bus, calls, rosters, devices }));
  const presence = stack.use(
    await LocalPresence.start({
      bus,
      clock,
      edge: config.edge ?? toHex(randomBytes(8)),
      incarnation: randomBytes(16),
      leasePeriodMs: config.leasePeriodMs ?? 2000,
    }),
  );
  const signals = stack.use(
    await Signals.start({
      bus,
      forward(room, sender, frame) {
        for (const connection of connections) {
          if (connection.reads(room) && connection.principal.device !== sender)
            connection.tell(frame);
        }
      },
    }),
  );
  const hints = stack.use(await Hints.start({ bus, rosters, rooms, devices, connections }));
  const confirmation = stack.use(
    new Confirmation({
      clock,
      calls,
      periodMs: config.confirmPeriodMs ?? 2000,
      validMs: config.confirmValidMs ?? 10_000,
      answered: (response) => hints.confirmed(response),
      lost() {
        events.confirmationLost();
        for (const connection of connections) connection.interrupt(ErrorCode.UNAVAILABLE);
      },
      regained: () => events.confirmationRegained(),
    }),
  );
  await confirmation.ask();
  const messages = new Messages(log, rosters);
  const archives = new Archives({ log, pageBytesMax: limits.archivePageBytesMax });
  const shown = { presence, presenceFeed, signals };
  return { confirmation, rosters, rooms, messages, archives, devices, ...shown };
}
