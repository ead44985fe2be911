import { CloseCode, ErrorCode, type Frame, type OpenObject } from "@sotto/protocol";
import { refuse } from "./answer.ts";
import { close } from "./close.ts";
import type { Effect } from "./effect.ts";
import { cancelUpload } from "./put-piece.ts";
import { refusal } from "./response-body.ts";
import type { Session } from "./session.ts";
import { numberOf, objectOf, roomOf } from "./wire-values.ts";

/** Sealed bytes of an object from any offset, as far as the client credits. */
export function openObject(session: Session, stream: number, body: OpenObject): Effect[] {
  const room = roomOf(body.room);
  const object = objectOf(body.object);
  const offset = numberOf(body.offset);
  const length = numberOf(body.length);
  if (
    room === undefined ||
    object === undefined ||
    offset === undefined ||
    length === undefined ||
    !Number.isSafeInteger(offset + length)
  ) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "room, object or range is malformed");
  }
  if (session.uploads.size + session.downloads.size >= session.limits.mediaStreamsMax) {
    return refuse(session, stream, ErrorCode.BUSY, "too many media streams are open");
  }
  session.downloads.add(stream);
  const { credit } = body;
  return [{ kind: "openObject", stream, room, object, offset, length, credit }];
}

/** More bytes of a download are wanted. For a stream that has ended it comes too late, and is ignored. */
export function credit(session: Session, frame: Frame): Effect[] {
  if (frame.body.length !== 4) {
    return close(session, CloseCode.PROTOCOL_ERROR, "a credit carries 4 bytes");
  }
  const { stream, body } = frame;
  if (!session.downloads.has(stream)) return [];
  const bytes = new DataView(body.buffer, body.byteOffset, 4).getUint32(0);
  return [{ kind: "credit", stream, bytes }];
}

/** Ends a media stream of either direction. The stream may be used again at once. */
export function cancel(session: Session, stream: number): Effect[] {
  if (!session.downloads.delete(stream)) return cancelUpload(session, stream);
  session.requests.delete(stream);
  return [{ kind: "cancelDownload", stream }];
}

/** A download is over. A failure in the middle is told by a second Response on its stream. */
export function downloadEnded(
  session: Session,
  stream: number,
  code: ErrorCode | undefined,
): Effect[] {
  if (!session.downloads.delete(stream) || code === undefined) return [];
  return [{ kind: "respond", stream, body: refusal(code, "the object cannot be read on") }];
}
