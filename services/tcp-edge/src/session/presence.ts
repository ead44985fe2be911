import { ErrorCode, PresenceState, type SetPresence } from "@sotto/protocol";
import { answered, refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import { done } from "./response-body.ts";
import type { Session } from "./session.ts";

/** ONLINE or IDLE, for this connection. A quiet one has no presence to set. */
export function setPresence(session: Session, stream: number, body: SetPresence): Effect[] {
  const { state } = body;
  if (state !== PresenceState.ONLINE && state !== PresenceState.IDLE) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "a device is online or idle");
  }
  if (session.principal?.quiet !== false) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "a quiet connection has no presence");
  }
  return [{ kind: "setPresence", state }, ...answered(session, stream, done)];
}
