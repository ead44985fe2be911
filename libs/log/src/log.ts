/**
 * The `Log` port: the durable, ordered record of every room.
 *
 * Promise: once `append` resolved, the record survives `kill -9` and power loss, and every
 * reader sees the same order. Each topic (one room) has two subjects, `h` (handshake) and
 * `m` (messages), that share one order of sequences. Sequences grow but are not dense:
 * `sequence + 1` is not "the next record".
 *
 * Ownership of bytes: a port copies what it must keep beyond the call. After `append`
 * resolved or rejected the caller may reuse `data`. Bytes handed to a reader belong to
 * the reader and are never changed afterwards, but they may be shared between readers.
 */

/** Names one room's pair of subjects: lower-case hex, 8 to 64 characters. */
export type Topic = string & { readonly __topic: unique symbol };

/** A record's place in the log. A positive safe integer; grows within a topic, not densely. */
export type Sequence = number & { readonly __sequence: unique symbol };

/** Identity of a log's life (hex). Changed by restore, import or resharding. */
export type Incarnation = string & { readonly __incarnation: unique symbol };

/** `h` carries handshake records, `m` messages. */
export type SubjectKind = "h" | "m";

export interface Position {
  readonly incarnation: Incarnation;
  readonly sequence: Sequence;
}

export interface LogRecord {
  readonly topic: Topic;
  readonly kind: SubjectKind;
  readonly sequence: Sequence;
  /** Sequence of the record before this one on the same subject, 0 where there is none. */
  readonly previous: number;
  /** Where the append named a condition on `h`: that sequence. A message's handshake record H. */
  readonly handshake: number;
  readonly data: Uint8Array;
}

export interface AppendRequest {
  readonly topic: Topic;
  readonly kind: SubjectKind;
  /**
   * Idempotency key, at most 64 bytes of hex. A second append with the same key within
   * `idempotencyWindowMs` stores nothing and answers the first one's position.
   */
  readonly key: string;
  /** Append only while the last record of the topic's `h` subject is this one (0: none yet). */
  readonly expectHandshake: number;
  readonly data: Uint8Array;
}

export interface Appended {
  readonly position: Position;
  /** True where the key had been seen: nothing was stored now. */
  readonly duplicate: boolean;
}

export interface TopicHead {
  readonly incarnation: Incarnation;
  /** Sequence of the topic's last record of either subject, 0 where it is empty. */
  readonly last: number;
  /** Sequence of the last `h` record, 0 where there is none. */
  readonly handshake: number;
  /** Sequence of the last `m` record, 0 where there is none. */
  readonly message: number;
}

/** Why an operation of the log was refused. */
export type LogErrorCode =
  /** The condition does not hold. `handshake` tells the topic's last `h` sequence where known. */
  | "STALE"
  /** A foreign incarnation, or a position past the end of the log. */
  | "LOG_RESET"
  /** `data` is larger than `recordBytesMax`. */
  | "TOO_LARGE"
  /** The disk is full; nothing was stored, and reading goes on. */
  | "FULL"
  /** The log cannot be reached or cannot promise durability now. Whether the record stands is unknown. */
  | "UNAVAILABLE"
  /** What is stored cannot be trusted; an operator must look. */
  | "CORRUPT";

export class LogError extends Error {
  override readonly name = "LogError";
  readonly code: LogErrorCode;
  readonly handshake: number | undefined;
  constructor(
    code: LogErrorCode,
    message: string,
    options?: { handshake?: number; cause?: unknown },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.handshake = options?.handshake;
  }
}

export interface ReadRequest {
  readonly topic: Topic;
  /** Records with a sequence greater than this one. 0 reads from the beginning. */
  readonly after: number;
  /** When given, a foreign incarnation or a sequence past the log's end rejects with `LOG_RESET`. */
  readonly incarnation?: Incarnation;
  /** At most this many records in one answer (1 to `readRecordsMax`). */
  readonly limit: number;
  /** At most about so many bytes of them, but at least one record. Default, and at most: `readBytesMax`. */
  readonly bytesMax?: number;
}

/** Ends a live subscription. Idempotent; nothing is delivered after it resolved. */
export interface LiveSubscription extends AsyncDisposable {}

export const recordBytesMax = 1024 * 1024;
export const readRecordsMax = 1024;
/** Bytes of records in one answer; the caller reads on from its last record. */
export const readBytesMax = 8 * 1024 * 1024;
export const idempotencyWindowMs = 10 * 60 * 1000;

export interface Log extends AsyncDisposable {
  /** Rejects with `LogError`. Appends by one caller to one topic are stored in call order. */
  append(request: AppendRequest): Promise<Appended>;
  /** Durable records only, in order; empty where nothing follows. */
  read(request: ReadRequest): Promise<readonly LogRecord[]>;
  head(topic: Topic): Promise<TopicHead>;
  /**
   * Records as they become durable, at most once each, best effort: any of them may be
   * missing. `follow` heals the gaps. `deliver` must not throw and must return quickly.
   */
  live(topic: Topic, deliver: (record: LogRecord) => void): Promise<LiveSubscription>;
  /** All topics that hold at least one record, in no order. */
  topics(): AsyncIterable<Topic>;
  /** Removes a topic's records for good. Its position answers `LOG_RESET` or an empty topic afterwards. */
  remove(topic: Topic): Promise<void>;
}
