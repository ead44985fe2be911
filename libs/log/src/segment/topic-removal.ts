import { setImmediate as nextTurn } from "node:timers/promises";
import type { Incarnation } from "../log.ts";
import { type LogFiles, writeDurably } from "./log-files.ts";
import type { LogState } from "./log-state.ts";
import { segmentPath } from "./segment-folder.ts";
import { encodeSegmentHeader, segmentHeaderBytes } from "./segment-header.ts";
import { scanSegment } from "./segment-scan.ts";

/** Bytes looked at before others get a turn on the thread. */
const turnBytes = 1024 * 1024;

/** A segment without its dead records: the bytes, and where each record now lies. */
export interface RewrittenSegment {
  readonly bytes: Buffer;
  readonly moved: readonly {
    readonly topic: string;
    readonly sequence: number;
    readonly offset: number;
  }[];
}

/**
 * Drops the records of topics that were removed after them. Removals themselves stay, so that a
 * rebuilt index never brings back what an interrupted rewrite left in another segment.
 * Answers undefined where nothing is dead.
 */
export async function withoutDead(
  segment: Buffer,
  state: LogState,
  incarnation: Incarnation,
): Promise<RewrittenSegment | undefined> {
  const parts: Buffer[] = [encodeSegmentHeader(incarnation)];
  const moved: { topic: string; sequence: number; offset: number }[] = [];
  let at = segmentHeaderBytes;
  let dropped = 0;
  let turn = 0;
  for (const { record, offset, end } of scanSegment(segment)) {
    if (offset >= turn) {
      await nextTurn();
      turn = offset + turnBytes;
    }
    const isDead =
      record.type === "append" && !state.topics.get(record.topic)?.has(record.sequence);
    if (isDead) {
      dropped++;
      continue;
    }
    moved.push({ topic: record.topic, sequence: record.sequence, offset: at });
    parts.push(segment.subarray(offset, end));
    at += end - offset;
  }
  return dropped === 0 ? undefined : { bytes: Buffer.concat(parts), moved };
}

/** Replaces a segment's file; after a crash it is the old one or the new one. */
export async function replaceSegment(
  files: LogFiles,
  folder: string,
  segment: number,
  rewritten: RewrittenSegment,
): Promise<void> {
  const name = segmentPath(folder, segment).slice(folder.length + 1);
  await writeDurably(files, folder, name, rewritten.bytes);
}
