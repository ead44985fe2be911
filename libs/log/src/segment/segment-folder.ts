import type { Incarnation } from "../log.ts";
import { LogError } from "../log.ts";
import { type LogFiles, syncFolder } from "./log-files.ts";
import type { LogState } from "./log-state.ts";
import { checkSegmentHeader, segmentHeaderBytes } from "./segment-header.ts";
import { checkTornTail, scanSegment } from "./segment-scan.ts";

export function segmentPath(folder: string, segment: number): string {
  return `${folder}/${String(segment).padStart(10, "0")}.seg`;
}

/** The numbers of the folder's segments in order. Removes what a crash left half made. */
export async function listSegments(files: LogFiles, folder: string): Promise<number[]> {
  const names = await files.readdir(folder);
  for (const name of names) {
    if (name.endsWith(".tmp")) await files.unlink(`${folder}/${name}`);
  }
  const numbers = names.flatMap((name) => {
    const match = /^(\d{10})\.seg$/.exec(name);
    return match ? [Number(match[1])] : [];
  });
  return numbers.sort((a, b) => a - b);
}

/** What loading found beside the records. */
export interface LoadedSegments {
  readonly segments: readonly number[];
  /** Bytes of the last segment that hold whole records. */
  readonly lastBytes: number;
  /** Segments that hold records of removed topics, where a crash came before they were rewritten. */
  readonly withDead: ReadonlySet<number>;
}

/**
 * Reads every segment into `state` and cuts a torn tail off the last. Throws `LogError` where
 * what a sync covered is damaged. Holds one segment in memory at a time.
 */
export async function loadSegments(
  files: LogFiles,
  folder: string,
  incarnation: Incarnation,
  segments: readonly number[],
  state: LogState,
): Promise<LoadedSegments> {
  let lastBytes = 0;
  const withDead = new Set<number>();
  for (const segment of segments) {
    const path = segmentPath(folder, segment);
    const bytes = await files.readFile(path);
    const name = path.slice(folder.length + 1);
    checkSegmentHeader(bytes, name, incarnation);
    lastBytes = segmentHeaderBytes;
    for (const { record, offset, end } of scanSegment(bytes)) {
      if (record.sequence <= state.lastSequence) {
        throw new LogError("CORRUPT", `${name} has record ${record.sequence} out of order`);
      }
      if (record.type === "remove") {
        for (const dead of state.topics.get(record.topic)?.segments() ?? []) withDead.add(dead);
      }
      state.add({ record, segment, offset, bytes: end - offset });
      lastBytes = end;
    }
    if (lastBytes === bytes.length) continue;
    // A segment is synced whole before the next begins, so only the last can be torn.
    if (segment !== segments.at(-1)) {
      throw new LogError("CORRUPT", `${name} is damaged at byte ${lastBytes}`);
    }
    checkTornTail(bytes, lastBytes, name);
    await cut(files, path, lastBytes);
  }
  if (segments.length > 0) await syncFolder(files, folder);
  return { segments, lastBytes, withDead };
}

async function cut(files: LogFiles, path: string, bytes: number): Promise<void> {
  const handle = await files.open(path, "r+");
  try {
    await handle.truncate(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
