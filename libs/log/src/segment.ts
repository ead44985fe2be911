import * as nodeFiles from "node:fs/promises";
import type { Clock } from "@sotto/clock";
import type { Log } from "./log.ts";
import { openIncarnation } from "./segment/incarnation-file.ts";
import { KeyWindow } from "./segment/key-window.ts";
import type { LogFiles } from "./segment/log-files.ts";
import { LogState } from "./segment/log-state.ts";
import { listSegments, loadSegments } from "./segment/segment-folder.ts";
import { SegmentLog, type SegmentLogLimits } from "./segment/segment-log.ts";

export type { LogFiles } from "./segment/log-files.ts";
export type { SegmentLogLimits } from "./segment/segment-log.ts";

export interface SegmentLogOptions extends Partial<SegmentLogLimits> {
  /** Owned by this log alone: one process at a time may open it. Made where it is missing. */
  readonly folder: string;
  readonly clock: Clock;
  /** Idempotency keys held in memory; with so many in ten minutes, appends are `UNAVAILABLE`. */
  readonly idempotencyKeysMax?: number;
  /** In place of `node:fs/promises`, for tests that harm files. */
  readonly files?: LogFiles;
}

const defaults: SegmentLogLimits = {
  segmentBytesMax: 64 * 1024 * 1024,
  pendingBytesMax: 64 * 1024 * 1024,
  batchBytesMax: 4 * 1024 * 1024,
  openFilesMax: 64,
};
const idempotencyKeysMax = 4_000_000;

/**
 * Opens the embedded log, rebuilding its index from the segments and cutting a torn tail.
 * Rejects with `LogError`: `CORRUPT` for damage or a newer format, `FULL` or `UNAVAILABLE`.
 * Disposing waits for the appends that were accepted.
 */
export async function openSegmentLog(options: SegmentLogOptions): Promise<Log> {
  const { folder, clock } = options;
  const files = options.files ?? nodeFiles;
  await files.mkdir(folder, { recursive: true });
  const segments = await listSegments(files, folder);
  const incarnation = await openIncarnation(files, folder, segments.length > 0);
  const state = new LogState(new KeyWindow(options.idempotencyKeysMax ?? idempotencyKeysMax));
  const loaded = await loadSegments(files, folder, incarnation, segments, state);
  const limits = { ...defaults, ...options };
  const log = new SegmentLog({ files, folder, incarnation, state, ...loaded }, clock, limits);
  // A removal that a crash interrupted is finished in the background; should it fail, the next
  // start tries again.
  if (loaded.withDead.size > 0) log.rewrite(loaded.withDead).catch(() => {});
  return log;
}
