import { ErrorCode, type Subscribe } from "@sotto/protocol";
import { refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import { readerPosition } from "./reader-position.ts";
import type { Session } from "./session.ts";
import { roomOf } from "./wire-values.ts";

/** Records of a room from a position on. One subscription for each room and connection. */
export function subscribe(session: Session, stream: number, body: Subscribe): Effect[] {
  const room = roomOf(body.room);
  const after = readerPosition(body.after, body.afterSha256);
  if (room === undefined || after === undefined) {
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
  return [{ kind: "subscribe", stream, room, after }];
}
