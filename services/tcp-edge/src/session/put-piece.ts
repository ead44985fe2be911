import { CloseCode, ErrorCode, type Frame, FrameFlag, type PutPiece } from "@sotto/protocol";
import { refuse } from "./answer.ts";
import { close } from "./close.ts";
import type { Effect } from "./effect.ts";
import type { Session } from "./session.ts";
import { objectOf, roomOf } from "./wire-values.ts";

/** Begins the upload of one piece; its bytes follow in MEDIA frames on the same stream. */
export function putPiece(session: Session, stream: number, body: PutPiece): Effect[] {
  const room = roomOf(body.room);
  const object = objectOf(body.object);
  if (room === undefined || object === undefined || body.bytes === 0) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "room, object or size is malformed");
  }
  if (body.bytes > session.limits.pieceBytes) {
    return refuse(session, stream, ErrorCode.TOO_LARGE, "the piece is too large");
  }
  if (session.uploads.size + session.downloads.size >= session.limits.mediaStreamsMax) {
    return refuse(session, stream, ErrorCode.BUSY, "too many media streams are open");
  }
  const { piece, bytes } = body;
  session.uploads.set(stream, { bytes, receivedBytes: 0, complete: false });
  return [{ kind: "beginUpload", stream, room, object, piece, bytes }];
}

/**
 * Bytes of a piece. Those of an upload that is over (refused, cancelled) are dropped: the client
 * may have sent them before it knew.
 */
export function uploadBytes(session: Session, frame: Frame): Effect[] {
  if (frame.body.length > session.limits.mediaFrameBytesMax) {
    return close(session, CloseCode.FRAME_TOO_LARGE, "a media frame is larger than allowed");
  }
  const { stream } = frame;
  const upload = session.uploads.get(stream);
  if (!upload || upload.complete) return [];
  upload.receivedBytes += frame.body.length;
  const ended = (frame.flags & FrameFlag.end) !== 0;
  if (upload.receivedBytes > upload.bytes || (ended && upload.receivedBytes < upload.bytes)) {
    const message = "the piece has another size than was announced";
    return [
      { kind: "dropUpload", stream },
      ...refuse(session, stream, ErrorCode.BAD_REQUEST, message),
    ];
  }
  const bytes: Effect = { kind: "uploadBytes", stream, bytes: frame.body };
  if (!ended) return [bytes];
  upload.complete = true;
  return [bytes, { kind: "finishUpload", stream }];
}

/** Ends an upload that is not complete. A complete one is answered all the same. */
export function cancelUpload(session: Session, stream: number): Effect[] {
  const upload = session.uploads.get(stream);
  if (!upload || upload.complete) return [];
  session.uploads.delete(stream);
  session.requests.delete(stream);
  return [{ kind: "dropUpload", stream }];
}
