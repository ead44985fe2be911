import { ErrorCode, type Register, type Request } from "@sotto/protocol";
import { refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import { forwardToKeyserver } from "./forward.ts";
import type { Session } from "./session.ts";

/** Makes an account: once per connection, before it logs in. The keyserver judges. */
export function register(
  session: Session,
  stream: number,
  request: Request,
  body: Register,
): Effect[] {
  if (session.phase !== "greeting" || session.registration !== undefined) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "one registration for each connection");
  }
  if (body.serverToken.length !== 32) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "the server token is 32 bytes");
  }
  if (body.record.length > session.limits.recordBytesMax) {
    return refuse(session, stream, ErrorCode.TOO_LARGE, "the record is too large");
  }
  session.registration = stream;
  session.phase = "registering";
  return forwardToKeyserver(stream, request);
}
