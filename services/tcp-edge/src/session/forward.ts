import {
  type Commit,
  type CreateObject,
  ErrorCode,
  ObjectKind,
  type Request,
} from "@sotto/protocol";
import { refuse } from "./answer.ts";
import type { Effect, RoomAccess } from "./effect.ts";
import type { Session } from "./session.ts";
import { roomOf } from "./wire-values.ts";

/**
 * What the keyserver answers; it knows the caller from the call. `stranger`: it counts against the rate of the
 * caller's address.
 */
export function forwardToKeyserver(stream: number, request: Request, stranger = false): Effect[] {
  const [service, access] = ["keyserver", "device"] as const;
  return [{ kind: "forward", service, stream, request, room: undefined, access, stranger }];
}

/** What the keyserver answers to anybody: so many of one connection, and by the rate of its address. */
export function forwardOfStranger(session: Session, stream: number, request: Request): Effect[] {
  if (session.strangerRequests >= session.limits.requestsBeforeLoginMax) {
    return refuse(session, stream, ErrorCode.RATE_LIMITED, "too many requests before the login");
  }
  session.strangerRequests += 1;
  return forwardToKeyserver(stream, request, true);
}

/** Objects of a room are announced by its devices; parts of handshake records also by one that is about to come in. */
export function createObject(
  session: Session,
  stream: number,
  request: Request,
  body: CreateObject,
): Effect[] {
  const access = body.kind === ObjectKind.PART ? "user" : "device";
  return forwardToMedia(session, stream, request, body.room, access);
}

/** What the media service answers, for members of the room only. */
export function forwardToMedia(
  session: Session,
  stream: number,
  request: Request,
  roomBytes: Uint8Array,
  access: RoomAccess,
): Effect[] {
  const room = roomOf(roomBytes);
  if (room === undefined) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "the room is malformed");
  }
  return [{ kind: "forward", service: "media", stream, request, room, access, stranger: false }];
}

/** A handshake record: the keyserver is their only writer. */
export function commit(session: Session, stream: number, request: Request, body: Commit): Effect[] {
  if (body.envelope.length > session.limits.envelopeBytesMax) {
    return refuse(session, stream, ErrorCode.TOO_LARGE, "the envelope is too large");
  }
  return forwardToKeyserver(stream, request);
}
