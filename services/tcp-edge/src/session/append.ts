import { type Append, ErrorCode } from "@sotto/protocol";
import { refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import type { Session } from "./session.ts";
import { numberOf, roomOf } from "./wire-values.ts";

/** A sealed message for a room. Its rate is judged where this is performed, membership where it is stored. */
export function append(session: Session, stream: number, body: Append): Effect[] {
  const room = roomOf(body.room);
  const handshake = numberOf(body.handshake);
  if (room === undefined || handshake === undefined || body.id.length !== 16) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "room, id or handshake is malformed");
  }
  if (body.sealed.length === 0) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "the message is empty");
  }
  if (body.sealed.length > session.limits.messageBytesMax) {
    return refuse(session, stream, ErrorCode.TOO_LARGE, "the message is too large");
  }
  return [
    {
      kind: "append",
      stream,
      room,
      id: body.id,
      handshake,
      sealed: body.sealed,
    },
  ];
}
