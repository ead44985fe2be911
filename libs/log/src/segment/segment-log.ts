import type { Clock } from "@sotto/clock";
import {
  type Appended,
  type AppendRequest,
  type Incarnation,
  type LiveSubscription,
  type Log,
  LogError,
  type LogRecord,
  type ReadRequest,
  readBytesMax,
  readRecordsMax,
  recordBytesMax,
  type Sequence,
  type Topic,
  type TopicHead,
} from "../log.ts";
import { positionOf } from "../topic.ts";
import { type Change, type Outcome, orderBatch } from "./batch.ts";
import { LiveTopics } from "./live-topics.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogState } from "./log-state.ts";
import { ReadGate } from "./read-gate.ts";
import { segmentPath } from "./segment-folder.ts";
import { SegmentReader } from "./segment-reader.ts";
import { SegmentWriter, writeError } from "./segment-writer.ts";
import { replaceSegment, withoutDead } from "./topic-removal.ts";

export interface SegmentLogLimits {
  /** A segment that reached this size is closed and the next begun. */
  readonly segmentBytesMax: number;
  /** Bytes of appends that wait or are being written; over it an append is `UNAVAILABLE`. */
  readonly pendingBytesMax: number;
  /** Bytes written before one sync. */
  readonly batchBytesMax: number;
  /** Segments kept open for reading. */
  readonly openFilesMax: number;
}

/** What `openSegmentLog` found and prepared. */
export interface OpenedSegments {
  readonly files: LogFiles;
  readonly folder: string;
  readonly incarnation: Incarnation;
  readonly state: LogState;
  readonly segments: readonly number[];
  readonly lastBytes: number;
}

interface Waiting {
  readonly change: Change;
  readonly bytes: number;
  readonly settle: (outcome: Outcome) => void;
}

/** What a waiting append holds beside its data: the request, the promise, the encoded header. */
const overheadBytes = 512;

/** The embedded `Log`: one writer that lets many appends share each sync. */
export class SegmentLog implements Log {
  readonly #opened: OpenedSegments;
  readonly #clock: Clock;
  readonly #limits: SegmentLogLimits;
  readonly #state: LogState;
  readonly #reader: SegmentReader;
  readonly #writer: SegmentWriter;
  readonly #gate = new ReadGate();
  readonly #live = new LiveTopics();
  readonly #segments: Set<number>;
  #waiting: Waiting[] = [];
  #pendingBytes = 0;
  #committing: Promise<void> | undefined;
  readonly #toRewrite = new Set<number>();
  #rewriting: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(opened: OpenedSegments, clock: Clock, limits: SegmentLogLimits) {
    this.#opened = opened;
    this.#clock = clock;
    this.#limits = limits;
    this.#state = opened.state;
    this.#segments = new Set(opened.segments);
    const { files, folder, incarnation } = opened;
    this.#reader = new SegmentReader(files, folder, limits.openFilesMax);
    const last = { segment: opened.segments.at(-1) ?? 0, syncedBytes: opened.lastBytes };
    this.#writer = new SegmentWriter(files, folder, incarnation, last);
  }

  async append(request: AppendRequest): Promise<Appended> {
    if (request.data.length > recordBytesMax) {
      throw new LogError("TOO_LARGE", `a record holds at most ${recordBytesMax} bytes`);
    }
    const outcome = await this.#commit({ type: "append", request }, request.data.length);
    if (outcome instanceof LogError) throw outcome;
    const position = positionOf(this.#opened.incarnation, outcome.sequence);
    return { position, duplicate: outcome.duplicate };
  }

  async read(request: ReadRequest): Promise<readonly LogRecord[]> {
    this.#checkOpen();
    const { topic, after, incarnation } = request;
    if (incarnation !== undefined) {
      if (incarnation !== this.#opened.incarnation || after > this.#state.lastSequence) {
        throw new LogError("LOG_RESET", "the position is not of this log");
      }
    }
    const limit = Math.min(Math.max(request.limit, 1), readRecordsMax);
    const bytesMax = Math.min(request.bytesMax ?? readBytesMax, readBytesMax);
    return this.#gate.read(() => {
      const entries = this.#state.topics.get(topic)?.after(after, limit, bytesMax) ?? [];
      return this.#reader.read(topic, entries);
    });
  }

  async head(topic: Topic): Promise<TopicHead> {
    this.#checkOpen();
    const index = this.#state.topics.get(topic);
    return {
      incarnation: this.#opened.incarnation,
      last: index?.last ?? 0,
      handshake: index?.handshake ?? 0,
      message: index?.message ?? 0,
    };
  }

  async live(topic: Topic, deliver: (record: LogRecord) => void): Promise<LiveSubscription> {
    this.#checkOpen();
    return this.#live.subscribe(topic, deliver);
  }

  async *topics(): AsyncIterable<Topic> {
    this.#checkOpen();
    yield* [...this.#state.topics.keys()] as Topic[];
  }

  async remove(topic: Topic): Promise<void> {
    const segments = this.#state.topics.get(topic)?.segments() ?? new Set();
    const first = this.#writer.segment;
    const outcome = await this.#commit({ type: "remove", topic }, 0);
    if (outcome instanceof LogError) throw outcome;
    // Records that waited went before the removal, into the segments that were written meanwhile.
    for (let segment = first; segment <= this.#writer.segment; segment++) segments.add(segment);
    await this.rewrite(segments);
  }

  /** Rewrites these segments without the records of removed topics. Removals at once share a pass. */
  rewrite(segments: ReadonlySet<number>): Promise<void> {
    for (const segment of segments) this.#toRewrite.add(segment);
    this.#rewriting = this.#rewriting
      .catch(() => {})
      .then(async () => {
        const due = [...this.#toRewrite];
        this.#toRewrite.clear();
        for (const segment of due) await this.#rewriteSegment(segment);
      })
      .catch((cause: unknown) => Promise.reject(writeError(cause)));
    return this.#rewriting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#live.clear();
    while (this.#committing) await this.#committing;
    await this.#rewriting.catch(() => {});
    await this.#gate.change(() => this.#reader[Symbol.asyncDispose]());
    await this.#writer[Symbol.asyncDispose]();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new LogError("UNAVAILABLE", "the log is closed");
  }

  #commit(change: Change, dataBytes: number): Promise<Outcome> {
    this.#checkOpen();
    const bytes = dataBytes + overheadBytes;
    if (this.#pendingBytes + bytes > this.#limits.pendingBytesMax) {
      throw new LogError("UNAVAILABLE", "too many bytes wait to be written");
    }
    this.#pendingBytes += bytes;
    return new Promise((settle) => {
      this.#waiting.push({ change, bytes, settle });
      this.#committing ??= this.#commitAll();
    });
  }

  /** Batch after batch, until nothing waits. What arrives during a sync gathers for the next. */
  async #commitAll(): Promise<void> {
    // One turn of the microtask queue, so that appends of the same tick share the first sync.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      try {
        await this.#commitBatch(batch);
      } catch (cause) {
        const error = writeError(cause);
        for (const { settle } of batch) settle(error);
      }
      for (const { bytes } of batch) this.#pendingBytes -= bytes;
    }
    this.#committing = undefined;
  }

  #takeBatch(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      bytes += waiting.bytes;
      if (count > 0 && bytes > this.#limits.batchBytesMax) break;
      count++;
    }
    const batch = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return batch;
  }

  async #commitBatch(waiting: readonly Waiting[]): Promise<void> {
    if (this.#writer.segment === 0 || this.#writer.syncedBytes >= this.#limits.segmentBytesMax) {
      await this.#roll();
    }
    const { segment, syncedBytes } = this.#writer;
    const place = { segment, syncedBytes, nowMs: this.#clock.now() };
    const changes = waiting.map(({ change }) => change);
    const { bytes, records, outcomes } = orderBatch(this.#state, changes, place);
    if (bytes.length > 0) await this.#writer.append(bytes);
    for (const placed of records) this.#state.add(placed);
    for (const [index, { settle }] of waiting.entries()) {
      settle(outcomes[index] ?? new LogError("UNAVAILABLE", "the log lost track of an append"));
    }
    for (const { record } of records) {
      if (record.type !== "append" || !this.#live.has(record.topic)) continue;
      const { kind, previous, handshake, data } = record;
      const sequence = record.sequence as Sequence;
      const topic = record.topic as Topic;
      this.#live.publish({ topic, kind, sequence, previous, handshake, data });
    }
  }

  async #roll(): Promise<void> {
    await this.#writer.roll();
    this.#segments.add(this.#writer.segment);
  }

  async #rewriteSegment(segment: number): Promise<void> {
    if (!this.#segments.has(segment)) return;
    if (segment === this.#writer.segment) await this.#rollForRewrite();
    const { files, folder, incarnation } = this.#opened;
    const bytes = await files.readFile(segmentPath(folder, segment));
    const rewritten = await withoutDead(bytes, this.#state, incarnation);
    if (!rewritten) return;
    await this.#gate.change(async () => {
      await this.#reader.forget(segment);
      await replaceSegment(files, folder, segment, rewritten);
      for (const { topic, sequence, offset } of rewritten.moved) {
        this.#state.topics.get(topic)?.move(sequence, offset);
      }
    });
  }

  /** Begins the next segment between two batches, so that the current one is final. */
  async #rollForRewrite(): Promise<void> {
    while (this.#committing) await this.#committing;
    const rolled = this.#roll().catch((cause: unknown) => Promise.reject(writeError(cause)));
    this.#committing = rolled
      .catch(() => {})
      .then(() => {
        this.#committing = undefined;
        if (this.#waiting.length > 0) this.#committing = this.#commitAll();
      });
    await rolled;
  }
}
