import { hash } from "node:crypto";
import type { Log, Topic, TopicHead } from "@sotto/log";
import { ErrorCode, SottoError } from "@sotto/protocol";
import type { ReaderPosition } from "../session/reader-position.ts";

/**
 * Rejects with LOG_RESET where a reader's position is of another log, past its end, or where another record stands
 * there: a log that was set back to an older copy goes on under its old name. None at all is the beginning.
 */
export async function checkPosition(
  log: Log,
  topic: Topic,
  after: ReaderPosition,
  head: TopicHead,
): Promise<void> {
  const { incarnation, sequence, sha256 } = after;
  if (incarnation === "") return;
  const within = incarnation === head.incarnation && sequence <= head.last;
  if (within && (sha256 === "" || (await stands(log, topic, sequence, sha256)))) return;
  throw new SottoError(ErrorCode.LOG_RESET, "the position is not of this log");
}

async function stands(log: Log, topic: Topic, sequence: number, sha256: string): Promise<boolean> {
  const [record] = await log.read({ topic, after: Math.max(0, sequence - 1), limit: 1 });
  return record?.sequence === sequence && hash("sha256", record.data, "hex") === sha256;
}
