import { LogError } from "../log.ts";
import { decodeRecord, recordEnd, type StoredRecord } from "./record-format.ts";
import { segmentHeaderBytes } from "./segment-header.ts";

/** A record with its place in the segment. */
export interface ScannedRecord {
  readonly record: StoredRecord;
  readonly offset: number;
  readonly end: number;
}

/** Every whole record from the start, up to the first that is torn or damaged. */
export function* scanSegment(segment: Buffer): Generator<ScannedRecord> {
  let offset = segmentHeaderBytes;
  for (;;) {
    const end = recordEnd(segment, offset);
    if (end === undefined) return;
    yield { record: decodeRecord(segment, offset, end), offset, end };
    offset = end;
  }
}

/**
 * Decides whether what follows `offset` in the last segment may be cut as a torn tail. A power
 * loss tears only what no sync covered; where any later record was written after a sync that
 * covered `offset`, acknowledged records are damaged, and cutting would lose them unseen.
 */
export function checkTornTail(segment: Buffer, offset: number, name: string): void {
  for (let at = offset + 1; at < segment.length; at++) {
    const end = recordEnd(segment, at);
    if (end === undefined) continue;
    if (decodeRecord(segment, at, end).syncedBytes > offset) {
      throw new LogError("CORRUPT", `${name} is damaged at byte ${offset}, before synced records`);
    }
    at = end - 1;
  }
}
