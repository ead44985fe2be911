import type { ErrorCode } from "@sotto/protocol";
import type { Effect } from "./effect.ts";
import { type RefusalDetails, type ResponseBody, refusal } from "./response-body.ts";
import type { Session } from "./session.ts";

/**
 * A request's answer came. Answers to requests that are not waiting any more (cancelled, or of a
 * session that closes) are dropped.
 */
export function answered(session: Session, stream: number, body: ResponseBody): Effect[] {
  if (session.phase === "closing" || !session.requests.has(stream)) return [];
  if (session.phase === "registering" && stream === session.registration)
    session.phase = "greeting";
  const room = session.requests.get(stream);
  session.requests.delete(stream);
  session.uploads.delete(stream);
  if (room !== undefined && body.case !== "subscribed") session.subscriptions.delete(room);
  if (body.case !== "objectOpened") session.downloads.delete(stream);
  return [{ kind: "respond", stream, body }];
}

/** Refuses a request at once. */
export function refuse(
  session: Session,
  stream: number,
  code: ErrorCode,
  message: string,
  details?: RefusalDetails,
): Effect[] {
  return answered(session, stream, refusal(code, message, details));
}
