import { ErrorCode, PresenceState, type SetPresence } from "@sotto/protocol";
import { answered, refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import { done } from "./response-body.ts";
import type { Session } from "./session.ts";

/**
 * ONLINE or IDLE, for this connection: a quiet one is seen from then on, and is told who is here. OFFLINE
 * makes it quiet again.
 */
export function setPresence(session: Session, stream: number, body: SetPresence): Effect[] {
  const { state } = body;
  const known = state !== PresenceState.UNSPECIFIED && PresenceState[state] !== undefined;
  if (!known || !session.principal) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "a device is online, idle or offline");
  }
  const { quiet } = session.principal;
  const seen = state !== PresenceState.OFFLINE;
  session.principal = { ...session.principal, quiet: !seen };
  const effect: Effect = { kind: "setPresence", state, begins: quiet && seen };
  return [...answered(session, stream, done), effect];
}
