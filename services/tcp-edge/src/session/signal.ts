import { ErrorCode, type SendSignal, SignalKind } from "@sotto/protocol";
import { refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import type { Session } from "./session.ts";
import { roomOf } from "./wire-values.ts";

/** Typing and the like: best effort, never stored. */
export function sendSignal(session: Session, stream: number, body: SendSignal): Effect[] {
  const room = roomOf(body.room);
  const known = body.kind === SignalKind.TYPING || body.kind === SignalKind.TYPING_STOPPED;
  if (room === undefined || !known) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "room or signal is malformed");
  }
  return [{ kind: "signal", stream, room, signal: body.kind }];
}
