import type { ReportTrouble } from "@sotto/protocol";
import { answered } from "./answer.ts";
import type { Effect } from "./effect.ts";
import { done } from "./response-body.ts";
import type { Session } from "./session.ts";

/** What one connection may add to the count: more says nothing more, and nobody makes the figure worthless alone. */
const reportedMax = 10_000;

/** Messages that a device could not open: counted, and nothing else of them. */
export function reportTrouble(session: Session, stream: number, body: ReportTrouble): Effect[] {
  const cannotOpen = Math.min(body.cannotOpen, reportedMax - session.troubleReported);
  session.troubleReported += cannotOpen;
  const counted: Effect[] = cannotOpen > 0 ? [{ kind: "trouble", cannotOpen }] : [];
  return [...counted, ...answered(session, stream, done)];
}
