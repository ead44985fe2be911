import { CloseCode, type ErrorCode } from "@sotto/protocol";
import { answered } from "./answer.ts";
import { admitted, deviceFound, loginUnavailable, verified } from "./authenticate.ts";
import { close } from "./close.ts";
import type { Effect } from "./effect.ts";
import { frame } from "./frame.ts";
import type { Input } from "./input.ts";
import { downloadEnded } from "./open-object.ts";
import { presenceAllowed } from "./presence.ts";
import type { Session } from "./session.ts";

/**
 * The session core: what happens to a connection, as a function of what happened before. No clock,
 * no randomness, no input or output; equal inputs give equal effects. Never throws, whatever a
 * client sends. `session` is changed in place (see `Session`); the effects are to be performed in
 * order.
 */
export function step(session: Session, input: Input): readonly Effect[] {
  if (session.phase === "closing") return [];
  switch (input.kind) {
    case "frame":
      return frame(session, input.frame);
    case "answered":
      return answered(session, input.stream, input.body);
    case "unreadable":
      return input.tooLarge
        ? close(session, CloseCode.FRAME_TOO_LARGE, "a frame is larger than allowed")
        : close(session, CloseCode.PROTOCOL_ERROR, "the bytes are not frames");
    case "deviceFound":
      return deviceFound(session, input.facts);
    case "verified":
      return verified(session, input.facts, input.valid);
    case "admitted":
      return admitted(session, input.facts, input.tooMany);
    case "loginUnavailable":
      return loginUnavailable(session);
    case "presenceAllowed":
      return presenceAllowed(session, input.stream, input.state);
    case "interrupted":
      return interrupted(session, input.room, input.code);
    case "removed":
      session.subscriptions.delete(input.room);
      return [];
    case "downloadEnded":
      return downloadEnded(session, input.stream, input.code);
    case "end":
      return close(session, input.code, input.message, input.reconnectAfterMs);
  }
}

function interrupted(
  session: Session,
  room: Parameters<Session["subscriptions"]["delete"]>[0],
  code: ErrorCode,
): Effect[] {
  if (!session.subscriptions.delete(room)) return [];
  return [{ kind: "tellInterrupted", room, code }];
}
