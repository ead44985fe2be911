import { hash } from "node:crypto";
import { decodeEnvelope, foldRoster, type Roster } from "@sotto/identity";
import type { Incarnation, Log, LogRecord, Topic } from "@sotto/log";
import type { DeviceId, RoomId } from "@sotto/protocol";
import { encodeRoomRecord } from "./encode-record.ts";
import type { Follow, Following } from "./follow.ts";
import type { RecentMemory } from "./recent-memory.ts";
import { RecentRecords } from "./recent-records.ts";
import type { RoomRecord } from "./room-record.ts";

/** Somebody who reads a room: first what it missed, then with everybody else. */
export interface TailReader {
  readonly device: DeviceId;
  /** A live record that it may read; none before `join`. Must not throw. */
  deliver(record: RoomRecord): void;
  /** The record at `sequence` removed its device: nothing after it may be delivered. */
  removed(sequence: number): void;
  /** The tail cannot go on. */
  failed(error: unknown): void;
}

export interface RoomTailOptions {
  readonly log: Log;
  readonly follow: Follow;
  readonly room: RoomId;
  readonly topic: Topic;
  readonly incarnation: Incarnation;
  /** Folded to `start` at least, or to the last handshake record before it. */
  readonly roster: Roster;
  /** Records after this sequence are followed. */
  readonly start: number;
  readonly recentRecordsMax: number;
  readonly recentBytesMax: number;
  /** Of all rooms together. */
  readonly recentMemory: RecentMemory;
  /** The roster became another one by a live record. */
  readonly folded: (roster: Roster) => void;
  readonly delivered: (records: number) => void;
}

/**
 * One room as this edge sees it live: the log's records in order, without gaps, each encoded once;
 * the roster folded with them; and the readers, who get a record only as far as the roster of that
 * place lets them.
 */
export class RoomTail implements Disposable {
  readonly #options: RoomTailOptions;
  readonly #recent: RecentRecords;
  readonly #readers = new Set<TailReader>();
  /** Readers who have caught up, with the last sequence that they had by then. */
  readonly #live = new Map<TailReader, number>();
  readonly #reaching = new Set<{ readonly sequence: number; readonly resolve: () => void }>();
  #roster: Roster;
  #position: number;
  readonly #following: Following;
  #failure: unknown;

  /** Follows the room from `start` on. */
  constructor(options: RoomTailOptions) {
    const { log, topic, incarnation, start, roster } = options;
    this.#options = options;
    this.#roster = roster;
    this.#position = start;
    this.#recent = new RecentRecords({
      floor: start,
      recordsMax: options.recentRecordsMax,
      bytesMax: options.recentBytesMax,
      memory: options.recentMemory,
    });
    this.#following = options.follow({
      log,
      topic,
      incarnation,
      after: start,
      deliver: (record) => this.#deliver(record),
      failed: (error) => this.#fail(error),
    });
  }

  /** Sequence up to which everything was delivered and folded. */
  get position(): number {
    return this.#position;
  }

  get roster(): Roster {
    return this.#roster;
  }

  /** Why nothing comes any more; undefined while all is well. */
  get failure(): unknown {
    return this.#failure;
  }

  /** From now on the reader is told of its removal. */
  enter(reader: TailReader): void {
    this.#readers.add(reader);
  }

  leave(reader: TailReader): void {
    this.#readers.delete(reader);
    this.#live.delete(reader);
  }

  /**
   * Lets a reader who has everything up to `after` read live: what went by since then is delivered
   * at once. False where that is not at hand any more: read on in the log.
   */
  join(reader: TailReader, after: number): boolean {
    const missed = this.#recent.after(after);
    if (!missed) return false;
    for (const record of missed) reader.deliver(record);
    this.#live.set(reader, after);
    return true;
  }

  /** Resolves when everything up to `sequence` was folded, or when the signal aborts. */
  reach(sequence: number, signal: AbortSignal): Promise<void> {
    if (this.#position >= sequence || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter = { sequence, resolve };
      this.#reaching.add(waiter);
      signal.addEventListener(
        "abort",
        () => {
          this.#reaching.delete(waiter);
          resolve();
        },
        { once: true },
      );
    });
  }

  /** Asks the log for what a lost live record may have left out. */
  poke(): void {
    this.#following.poke();
  }

  [Symbol.dispose](): void {
    this.#readers.clear();
    this.#live.clear();
    this.#recent.clear();
    this.#following[Symbol.dispose]();
  }

  #deliver(record: LogRecord): void {
    if (record.sequence <= this.#position) return;
    const encoded = encodeRoomRecord(this.#options.room, record);
    this.#position = record.sequence;
    this.#recent.add(encoded);
    for (const [reader, after] of this.#live) {
      if (encoded.sequence > after) reader.deliver(encoded);
    }
    this.#options.delivered(this.#live.size);
    if (record.kind === "h") this.#fold(record);
    if (this.#reaching.size > 0) this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#reaching) {
      if (this.#position < waiter.sequence) continue;
      this.#reaching.delete(waiter);
      waiter.resolve();
    }
  }

  #fold(record: LogRecord): void {
    if (record.sequence <= this.#roster.foldedTo) return;
    const sha256 = hash("sha256", record.data, "hex");
    this.#roster = foldRoster(this.#roster, decodeEnvelope(record.data), record.sequence, sha256);
    for (const reader of this.#readers) {
      if (this.#roster.devices.has(reader.device)) continue;
      this.leave(reader);
      reader.removed(record.sequence);
    }
    this.#options.folded(this.#roster);
  }

  #fail(error: unknown): void {
    this.#failure = error;
    for (const reader of [...this.#readers]) {
      this.leave(reader);
      reader.failed(error);
    }
  }
}
