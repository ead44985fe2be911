import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Bus } from "@sotto/bus";
import type { Clock } from "@sotto/clock";
import type { DirectoryStore } from "@sotto/directory";
import type { Log } from "@sotto/log";
import {
  type DeviceId,
  ErrorCode,
  type Request,
  type ResponseSchema,
  SottoError,
  type UserId,
} from "@sotto/protocol";
import type { CallBudget } from "../call-budget.ts";
import type { DirectoryState } from "../directory-state.ts";
import type { KeyserverEvents } from "../events.ts";
import type { RecentChanges } from "../recent-changes.ts";
import type { RoomTurns } from "../room-turns.ts";
import type { Rosters } from "../rosters.ts";

/** Who asks: an authenticated device. */
export interface Principal {
  readonly user: UserId;
  readonly device: DeviceId;
}

/** What every command stands on. */
export interface Keyserver {
  readonly bus: Bus;
  readonly log: Log;
  readonly store: DirectoryStore;
  readonly clock: Clock;
  readonly state: DirectoryState;
  readonly rosters: Rosters;
  readonly turns: RoomTurns;
  readonly changes: RecentChanges;
  readonly keyPackageBudget: CallBudget;
  readonly writeBudget: CallBudget;
  readonly events: KeyserverEvents;
  readonly roomDevicesMax: number;
}

export type RequestCase = NonNullable<Request["body"]["case"]>;
export type RequestValue<Case extends RequestCase> = Extract<
  Request["body"],
  { case: Case }
>["value"];
export type Answer = NonNullable<MessageInitShape<typeof ResponseSchema>["body"]>;

/** Takes one from the caller's budget of writes. Throws `SottoError` RATE_LIMITED. */
export function spend(server: Keyserver, caller: Principal, what: string): void {
  if (server.writeBudget.take(`${what}/${caller.user}`)) return;
  throw new SottoError(ErrorCode.RATE_LIMITED, "too many in a short time; try again later", {
    retryAfterMs: 60_000,
  });
}
