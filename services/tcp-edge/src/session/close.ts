import type { CloseCode } from "@sotto/protocol";
import type { Effect } from "./effect.ts";
import type { Session } from "./session.ts";

/** Ends the session. The first close wins; the state holds nothing afterwards. */
export function close(
  session: Session,
  code: CloseCode,
  message: string,
  reconnectAfterMs = 0,
): Effect[] {
  if (session.phase === "closing") return [];
  session.phase = "closing";
  session.claim = undefined;
  session.requests.clear();
  session.subscriptions.clear();
  session.uploads.clear();
  session.downloads.clear();
  return [{ kind: "close", code, message, reconnectAfterMs }];
}
