import { ErrorCode, type Unsubscribe } from "@sotto/protocol";
import { answered, refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import { done } from "./response-body.ts";
import type { Session } from "./session.ts";
import { roomOf } from "./wire-values.ts";

/** No more records of a room. Done also where it was not subscribed: the end may have crossed the request. */
export function unsubscribe(session: Session, stream: number, body: Unsubscribe): Effect[] {
  const room = roomOf(body.room);
  if (room === undefined) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "the room is malformed");
  }
  session.subscriptions.delete(room);
  for (const [waiting, subscribed] of session.requests) {
    if (subscribed === room) session.requests.set(waiting, undefined);
  }
  return [{ kind: "unsubscribe", room }, ...answered(session, stream, done)];
}
