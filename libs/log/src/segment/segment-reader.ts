import type { FileHandle } from "node:fs/promises";
import { LogError, type LogRecord, type Sequence, type Topic } from "../log.ts";
import type { LogFiles } from "./log-files.ts";
import { decodeRecord, recordEnd } from "./record-format.ts";
import { segmentPath } from "./segment-folder.ts";
import type { IndexEntry } from "./topic-index.ts";

/** Records that lie this close are read in one call: a call costs more than the bytes between. */
const gapBytesMax = 32 * 1024;
const readBytesMax = 1024 * 1024;

interface OpenSegment {
  readonly handle: Promise<FileHandle>;
  users: number;
}

/** Reads records by their places. Keeps at most `openFilesMax` segments open between reads. */
export class SegmentReader implements AsyncDisposable {
  readonly #files: LogFiles;
  readonly #folder: string;
  readonly #openFilesMax: number;
  /** In order of use: the first was not used for longest. */
  readonly #open = new Map<number, OpenSegment>();

  constructor(files: LogFiles, folder: string, openFilesMax: number) {
    this.#files = files;
    this.#folder = folder;
    this.#openFilesMax = openFilesMax;
  }

  /** The records of these entries, in their order. Throws `CORRUPT` where one is damaged. */
  async read(topic: Topic, entries: readonly IndexEntry[]): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    for (const run of runsOf(entries)) {
      const [first] = run;
      const last = run.at(-1);
      if (!first || !last) continue;
      const bytes = await this.#bytes(first.segment, first.offset, last.offset + last.bytes);
      for (const entry of run) records.push(recordAt(bytes, topic, entry, first.offset));
    }
    return records;
  }

  /** Closes a segment whose file is about to be replaced or removed. No read may be running. */
  async forget(segment: number): Promise<void> {
    const open = this.#open.get(segment);
    this.#open.delete(segment);
    await (await open?.handle)?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const segment of [...this.#open.keys()]) await this.forget(segment);
  }

  async #bytes(segment: number, from: number, to: number): Promise<Buffer> {
    const open = this.#take(segment);
    try {
      const handle = await open.handle;
      const bytes = Buffer.allocUnsafeSlow(to - from);
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, from + done);
        if (bytesRead === 0) throw new LogError("CORRUPT", `segment ${segment} is too short`);
        done += bytesRead;
      }
      return bytes;
    } finally {
      open.users--;
      this.#closeSpare();
    }
  }

  /** The segment, opened where it is not, in use until its `users` is taken back. */
  #take(segment: number): OpenSegment {
    const known = this.#open.get(segment);
    const handle = known?.handle ?? this.#files.open(segmentPath(this.#folder, segment), "r");
    const open = known ?? { handle, users: 0 };
    if (!known) handle.catch(() => this.#open.delete(segment));
    this.#open.delete(segment);
    this.#open.set(segment, open);
    open.users++;
    this.#closeSpare();
    return open;
  }

  /** Closes what nobody reads, the longest unused first, until no more are open than may be. */
  #closeSpare(): void {
    for (const [segment, open] of this.#open) {
      if (this.#open.size <= this.#openFilesMax) return;
      if (open.users > 0) continue;
      this.#open.delete(segment);
      void open.handle.then((handle) => handle.close()).catch(() => {});
    }
  }
}

/** Splits entries into runs that one read call may fetch. */
function* runsOf(entries: readonly IndexEntry[]): Generator<readonly IndexEntry[]> {
  let run: IndexEntry[] = [];
  for (const entry of entries) {
    const first = run[0];
    const last = run.at(-1);
    const fits =
      first !== undefined &&
      last !== undefined &&
      first.segment === entry.segment &&
      entry.offset - (last.offset + last.bytes) <= gapBytesMax &&
      entry.offset + entry.bytes - first.offset <= readBytesMax;
    if (!fits && run.length > 0) {
      yield run;
      run = [];
    }
    run.push(entry);
  }
  if (run.length > 0) yield run;
}

function recordAt(bytes: Buffer, topic: Topic, entry: IndexEntry, base: number): LogRecord {
  const offset = entry.offset - base;
  const end = recordEnd(bytes, offset);
  if (end === undefined) throw new LogError("CORRUPT", `record ${entry.sequence} is damaged`);
  const stored = decodeRecord(bytes, offset, end);
  if (stored.topic !== topic || stored.sequence !== entry.sequence) {
    throw new LogError("CORRUPT", `record ${entry.sequence} is not where it should be`);
  }
  const { kind, previous, handshake, data } = stored;
  return { topic, kind, sequence: entry.sequence as Sequence, previous, handshake, data };
}
