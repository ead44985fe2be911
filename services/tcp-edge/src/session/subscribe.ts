import { ErrorCode, type Subscribe } from "@sotto/protocol";
import { refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import type { Session } from "./session.ts";
import { incarnationOf, numberOf, roomOf } from "./wire-values.ts";

/** Records of a room from a position on. One subscription for each room and connection. */
export function subscribe(session: Session, stream: number, body: Subscribe): Effect[] {
  const room = roomOf(body.room);
  const incarnation = incarnationOf(body.after?.incarnation ?? new Uint8Array());
  const sequence = numberOf(body.after?.sequence ?? 0n);
  if (room === undefined || sequence === undefined || incarnation === undefined) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "room or position is malformed");
  }
  if (session.subscriptions.has(room)) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "the room is subscribed already");
  }
  if (session.subscriptions.size >= session.limits.subscriptionsMax) {
    return refuse(session, stream, ErrorCode.BUSY, "too many rooms are subscribed");
  }
  session.subscriptions.add(room);
  session.requests.set(stream, room);
  const from = incarnation === "" ? 0 : sequence;
  return [{ kind: "subscribe", stream, room, incarnation, sequence: from }];
}
