import { type AppendArchive, ErrorCode, type ReadArchive } from "@sotto/protocol";
import { refuse } from "./answer.ts";
import type { Effect } from "./effect.ts";
import { readerPosition } from "./reader-position.ts";
import type { Session } from "./session.ts";

/** A record for the archive of the caller's own user. Its rate is judged where it is stored. */
export function appendArchive(session: Session, stream: number, body: AppendArchive): Effect[] {
  const { id, data } = body;
  if (id.length !== 16 || data.length === 0) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "id or record is malformed");
  }
  if (data.length > session.limits.archiveRecordBytesMax) {
    return refuse(session, stream, ErrorCode.TOO_LARGE, "the record is too large");
  }
  return [{ kind: "appendArchive", stream, id, data }];
}

/** A page of that archive. */
export function readArchive(session: Session, stream: number, body: ReadArchive): Effect[] {
  const after = readerPosition(body.after, body.afterSha256);
  if (after === undefined) {
    return refuse(session, stream, ErrorCode.BAD_REQUEST, "the position is malformed");
  }
  const most = session.limits.archivePageRecordsMax;
  const limit = Math.min(body.limit || most, most);
  return [{ kind: "readArchive", stream, after, limit }];
}
