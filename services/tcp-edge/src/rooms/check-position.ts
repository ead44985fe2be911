import type { TopicHead } from "@sotto/log";
import { ErrorCode, SottoError } from "@sotto/protocol";

/** Throws LOG_RESET where a reader's position is of another log, or past its end. None at all is the beginning. */
export function checkPosition(
  after: { readonly incarnation: string; readonly sequence: number },
  head: TopicHead,
): void {
  if (after.incarnation === "") return;
  if (after.incarnation === head.incarnation && after.sequence <= head.last) return;
  throw new SottoError(ErrorCode.LOG_RESET, "the position is not of this log");
}
