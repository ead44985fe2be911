import type { FileHandle } from "node:fs/promises";
import { type Incarnation, LogError } from "../log.ts";
import { type LogFiles, writeAll, writeDurably } from "./log-files.ts";
import { segmentPath } from "./segment-folder.ts";
import { encodeSegmentHeader, segmentHeaderBytes } from "./segment-header.ts";

/** The segment that is being written, and the bytes of it that are synced. */
export class SegmentWriter implements AsyncDisposable {
  readonly #files: LogFiles;
  readonly #folder: string;
  readonly #incarnation: Incarnation;
  #handle: FileHandle | undefined;
  /** True after a failed write or sync: the file may hold more than `syncedBytes`. */
  #isDirty = false;
  segment: number;
  syncedBytes: number;

  constructor(
    files: LogFiles,
    folder: string,
    incarnation: Incarnation,
    last: { readonly segment: number; readonly syncedBytes: number },
  ) {
    this.#files = files;
    this.#folder = folder;
    this.#incarnation = incarnation;
    this.segment = last.segment;
    this.syncedBytes = last.syncedBytes;
  }

  /** Begins the next segment. Its header is durable before any record is written to it. */
  async roll(): Promise<void> {
    // A failed write's rest would look like damage once this segment is not the last.
    if (this.#isDirty) await this.#repair();
    const next = this.segment + 1;
    const name = segmentPath(this.#folder, next).slice(this.#folder.length + 1);
    await writeDurably(this.#files, this.#folder, name, encodeSegmentHeader(this.#incarnation));
    await this.#handle?.close();
    this.#handle = undefined;
    this.segment = next;
    this.syncedBytes = segmentHeaderBytes;
  }

  /**
   * Writes a batch and syncs it. Rejects with `FULL` or `UNAVAILABLE`; then nothing of the batch
   * counts, and the next call first cuts off what may have reached the file.
   */
  async append(batch: Uint8Array): Promise<void> {
    try {
      if (this.#isDirty) await this.#repair();
      const handle = await this.#opened();
      this.#isDirty = true;
      await writeAll(handle, batch, this.syncedBytes);
      await handle.datasync();
      this.#isDirty = false;
      this.syncedBytes += batch.length;
    } catch (cause) {
      // Cut at once, so that a crash before the next append does not bring the batch to life.
      if (this.#isDirty) await this.#repair().catch(() => {});
      throw writeError(cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #opened(): Promise<FileHandle> {
    this.#handle ??= await this.#files.open(segmentPath(this.#folder, this.segment), "r+");
    return this.#handle;
  }

  async #repair(): Promise<void> {
    const handle = await this.#opened();
    await handle.truncate(this.syncedBytes);
    await handle.sync();
    this.#isDirty = false;
  }
}

/** The port's error for a write that failed. */
export function writeError(cause: unknown): LogError {
  if (cause instanceof LogError) return cause;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new LogError("FULL", "the disk of the log is full", { cause });
  }
  return new LogError("UNAVAILABLE", "the log cannot be written", { cause });
}
