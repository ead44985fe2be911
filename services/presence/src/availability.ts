import type { PresenceEntry } from "@sotto/interservice";
import { PresenceState, parseUserId, type UserId } from "@sotto/protocol";

/** How a user who is here is here. Who is not here has none. */
export type Availability = "online" | "idle";

/** A user's state became another; undefined is offline. */
export interface StateChange {
  readonly user: UserId;
  readonly state: Availability | undefined;
}

/** A user's state over all edges: online before idle before offline. */
export function bestOf(states: Iterable<Availability>): Availability | undefined {
  let best: Availability | undefined;
  for (const state of states) {
    if (state === "online") return state;
    best = state;
  }
  return best;
}

/** Reads an entry of the bus. Throws where it is malformed. */
export function changeFromEntry(entry: PresenceEntry): StateChange {
  const user = parseUserId(entry.user);
  switch (entry.state) {
    case PresenceState.ONLINE:
      return { user, state: "online" };
    case PresenceState.IDLE:
      return { user, state: "idle" };
    case PresenceState.OFFLINE:
      return { user, state: undefined };
    default:
      throw new TypeError(`not a presence state: ${entry.state}`);
  }
}

/** The state as the wire says it. */
export function wireState(state: Availability | undefined): PresenceState {
  if (state === undefined) return PresenceState.OFFLINE;
  return state === "online" ? PresenceState.ONLINE : PresenceState.IDLE;
}
