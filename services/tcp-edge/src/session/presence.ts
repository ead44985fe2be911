import { ErrorCode, PresenceState, type SetPresence } from "@sotto/protocol";
import { answered, refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import { done } from "./response-body.ts";
import type { Session } from "./session.ts";

/** Who is in a room with the device's user is told of it: its rate is judged where the device's signals are. */
export function setPresence(session: Session, stream: number, body: SetPresence): Effect[] {
  const { state } = body;
  const known = state !== PresenceState.UNSPECIFIED && PresenceState[state] !== undefined;
  if (!known) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "a device is online, idle or offline");
  }
  return [{ kind: "askPresence", stream, state }];
}

/**
 * ONLINE or IDLE, for this connection: a quiet one is seen from then on, and is told who is here. OFFLINE
 * makes it quiet again.
 */
export function presenceAllowed(session: Session, stream: number, state: PresenceState): Effect[] {
  if (!session.principal || !session.requests.has(stream)) return [];
  const { quiet } = session.principal;
  const seen = state !== PresenceState.OFFLINE;
  session.principal = { ...session.principal, quiet: !seen };
  const effect: Effect = { kind: "setPresence", state, begins: quiet && seen };
  return [...answered(session, stream, done), effect];
}
