import { CloseCode, decodeRequest, ErrorCode, type Frame, type Request } from "@sotto/protocol";
import { refuse } from "./answer.ts";
import { append } from "./append.ts";
import { appendArchive, readArchive } from "./archive.ts";
import { authenticate } from "./authenticate.ts";
import { close } from "./close.ts";
import type { Effect } from "./effect.ts";
import {
  commit,
  createObject,
  forwardOfStranger,
  forwardToKeyserver,
  forwardToMedia,
} from "./forward.ts";
import { openObject } from "./open-object.ts";
import { setPresence } from "./presence.ts";
import { putPiece } from "./put-piece.ts";
import { register } from "./register.ts";
import { reportTrouble } from "./report-trouble.ts";
import { refusal } from "./response-body.ts";
import type { Session } from "./session.ts";
import { sendSignal } from "./signal.ts";
import { subscribe } from "./subscribe.ts";
import { unsubscribe } from "./unsubscribe.ts";

/**
 * A REQUEST frame. Stream 0 and a stream that is still in use end the connection, because the
 * answer could not be told from another's; everything else is answered.
 */
export function request(session: Session, frame: Frame): readonly Effect[] {
  const { stream } = frame;
  if (stream === 0) return close(session, CloseCode.PROTOCOL_ERROR, "stream 0 names no request");
  if (session.requests.has(stream) || session.downloads.has(stream)) {
    return close(session, CloseCode.PROTOCOL_ERROR, "the stream is in use");
  }
  let decoded: Request;
  try {
    decoded = decodeRequest(frame);
  } catch {
    const body = refusal(ErrorCode.BAD_REQUEST, "the request cannot be decoded");
    return [{ kind: "respond", stream, body }];
  }
  const { requestsInFlightMax, requestsInFlightBeforeLoginMax } = session.limits;
  const most = session.phase === "ready" ? requestsInFlightMax : requestsInFlightBeforeLoginMax;
  if (session.requests.size >= most) {
    const body = refusal(ErrorCode.BUSY, "too many requests wait for their answers");
    return [{ kind: "respond", stream, body }];
  }
  session.requests.set(stream, undefined);
  return session.phase === "ready"
    ? requestOfDevice(session, stream, decoded)
    : requestOfStranger(session, stream, decoded);
}

function requestOfStranger(session: Session, stream: number, request: Request): readonly Effect[] {
  switch (request.body.case) {
    case "register":
      return register(session, stream, request, request.body.value);
    case "authenticate":
      return authenticate(session, stream, request.body.value);
    case "putLink":
    case "getLink":
    case "handBackRecords":
      return forwardOfStranger(session, stream, request);
    case "readDirectory":
      return request.body.value.note.length > 0
        ? forwardOfStranger(session, stream, request)
        : refuse(session, stream, ErrorCode.NOT_AUTHENTICATED, "log in first");
    default:
      return refuse(session, stream, ErrorCode.NOT_AUTHENTICATED, "log in first");
  }
}

function requestOfDevice(session: Session, stream: number, request: Request): readonly Effect[] {
  const { body } = request;
  switch (body.case) {
    case "append":
      return append(session, stream, body.value);
    case "subscribe":
      return subscribe(session, stream, body.value);
    case "unsubscribe":
      return unsubscribe(session, stream, body.value);
    case "sendSignal":
      return sendSignal(session, stream, body.value);
    case "setPresence":
      return setPresence(session, stream, body.value);
    case "putPiece":
      return putPiece(session, stream, body.value);
    case "openObject":
      return openObject(session, stream, body.value);
    case "commit":
      return commit(session, stream, request, body.value);
    case "createObject":
      return createObject(session, stream, request, body.value);
    case "getObject":
    case "listObjects":
      return forwardToMedia(session, stream, request, body.value.room, "user");
    case "deleteObject":
      return forwardToMedia(session, stream, request, body.value.room, "device");
    case "appendArchive":
      return appendArchive(session, stream, body.value);
    case "readArchive":
      return readArchive(session, stream, body.value);
    case "reportTrouble":
      return reportTrouble(session, stream, body.value);
    case "readDirectory":
    case "submitRecord":
    case "createInvite":
    case "listGrants":
    case "publishKeyPackages":
    case "claimKeyPackages":
    case "listRooms":
    case "getRoster":
    case "listDisabled":
    case "openLink":
    case "putLink":
    case "getLink":
    case "getHandshake":
    case "getCheckpoint":
    case "getInclusionProof":
    case "getConsistencyProof":
    case "handBackRecords":
      return forwardToKeyserver(stream, request);
    case "register":
    case "authenticate":
      return refuse(
        session,
        stream,
        ErrorCode.ALREADY_AUTHENTICATED,
        "this connection is logged in",
      );
    default:
      return refuse(
        session,
        stream,
        ErrorCode.UNKNOWN_REQUEST,
        "this server does not know the request",
      );
  }
}
