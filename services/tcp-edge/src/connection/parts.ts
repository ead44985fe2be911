import type { Clock } from "@sotto/clock";
import type { MediaLink } from "@sotto/media-link";
import type { UserId } from "@sotto/protocol";
import type { ByteBudget } from "../byte-budget.ts";
import type { EdgeLimits } from "../edge-limits.ts";
import type { EdgeEvents } from "../events.ts";
import type { LocalPresence } from "../presence/local-presence.ts";
import type { PresenceFeed } from "../presence/presence-feed.ts";
import type { Signals } from "../presence/signals.ts";
import type { Archives } from "../rooms/archives.ts";
import type { Confirmation } from "../rooms/confirmation.ts";
import type { Messages } from "../rooms/messages.ts";
import type { Rooms } from "../rooms/rooms.ts";
import type { Rosters } from "../rooms/rosters.ts";
import type { ServerVoucher } from "../server-voucher.ts";
import type { ServiceCalls } from "../service-calls.ts";
import type { ConnectedDevices } from "./connected-devices.ts";
import type { FlushTurn } from "./flush-turn.ts";

/** What all connections of an edge share. */
export interface EdgeParts {
  readonly limits: EdgeLimits;
  readonly clock: Clock;
  /** Cryptographically secure random bytes. */
  readonly randomBytes: (length: number) => Uint8Array;
  readonly events: EdgeEvents;
  readonly turn: FlushTurn;
  readonly voucher: ServerVoucher;
  readonly calls: ServiceCalls;
  readonly confirmation: Confirmation;
  readonly rosters: Rosters;
  readonly rooms: Rooms;
  readonly messages: Messages;
  readonly archives: Archives;
  readonly devices: ConnectedDevices;
  readonly presence: LocalPresence;
  readonly presenceFeed: PresenceFeed;
  readonly signals: Signals;
  readonly mediaLink: MediaLink;
  readonly uploadBudget: ByteBudget<UserId>;
}
