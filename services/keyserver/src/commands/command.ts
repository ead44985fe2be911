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
import type { DisabledUsers } from "../disabled-users.ts";
import type { KeyserverEvents } from "../events.ts";
import type { KeyserverLimits } from "../keyserver-limits.ts";
import type { LastResorts } from "../last-resorts.ts";
import type { RecentChanges } from "../recent-changes.ts";
import type { RoomTurns } from "../room-turns.ts";
import type { Rosters } from "../rosters.ts";
import type { StandingGrants } from "../standing-grants.ts";
import type { Checkpoints } from "../transparency/checkpoints.ts";
import type { Standing } from "../transparency/standing.ts";
import type { TakeBack } from "../transparency/take-back.ts";

/** Who asks: an authenticated device. */
export interface Principal {
  readonly user: UserId;
  readonly device: DeviceId;
}

/** What one may do only so often. */
export interface Budgets {
  readonly invites: CallBudget;
  readonly records: CallBudget;
  readonly claims: CallBudget;
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
  readonly grants: StandingGrants;
  readonly lastResorts: LastResorts;
  readonly disabled: DisabledUsers;
  /** SHA-256 of the server identity key. */
  readonly serverKeySha256: Uint8Array;
  readonly standing: Standing;
  readonly checkpoints: Checkpoints;
  readonly takeBack: TakeBack;
  readonly budgets: Budgets;
  readonly events: KeyserverEvents;
  readonly limits: KeyserverLimits;
}

export type RequestCase = NonNullable<Request["body"]["case"]>;
export type RequestValue<Case extends RequestCase> = Extract<
  Request["body"],
  { case: Case }
>["value"];
export type Answer = NonNullable<MessageInitShape<typeof ResponseSchema>["body"]>;

/** What is bounded by the hour is worth asking for again after this time. */
export const retryAfterMs = 60_000;

/** Takes one from the budget of a user or device. Throws `SottoError` RATE_LIMITED. */
export function spend(budget: CallBudget, whose: UserId | DeviceId): void {
  if (budget.take(whose)) return;
  throw new SottoError(ErrorCode.RATE_LIMITED, "too many in a short time; try again later", {
    retryAfterMs,
  });
}
