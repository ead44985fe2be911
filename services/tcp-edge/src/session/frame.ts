import { CloseCode, type Frame, FrameFlag, FrameType } from "@sotto/protocol";
import { close } from "./close.ts";
import type { Effect } from "./effect.ts";
import { cancel, credit } from "./open-object.ts";
import { uploadBytes } from "./put-piece.ts";
import { request } from "./request.ts";
import type { Session } from "./session.ts";

const pingBytes = 8;

/** A frame of the client, in any phase but closing. */
export function frame(session: Session, frame: Frame): readonly Effect[] {
  if (session.phase !== "ready") {
    // A stranger who never reads must not make answers pile up without end.
    if (session.strangerFrames >= session.limits.framesBeforeLoginMax) {
      return close(session, CloseCode.PROTOCOL_ERROR, "too many frames before the login");
    }
    session.strangerFrames += 1;
  }
  switch (frame.type) {
    case FrameType.request:
      return request(session, frame);
    case FrameType.media:
      return uploadBytes(session, frame);
    case FrameType.credit:
      return credit(session, frame);
    case FrameType.cancel:
      return cancel(session, frame.stream);
    case FrameType.ping:
      if (frame.body.length !== pingBytes) {
        return close(session, CloseCode.PROTOCOL_ERROR, "a ping carries 8 bytes");
      }
      return [{ kind: "pong", stream: frame.stream, body: frame.body }];
    case FrameType.pong:
      return [];
    case FrameType.hello:
    case FrameType.response:
    case FrameType.event:
    case FrameType.record:
    case FrameType.close:
      return close(session, CloseCode.PROTOCOL_ERROR, "only an edge sends frames of this type");
    default:
      if ((frame.flags & FrameFlag.critical) === 0) return [];
      return close(session, CloseCode.UNSUPPORTED, "a critical frame of an unknown type");
  }
}
