import type { JetStreamManager } from "@nats-io/jetstream";
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import type { Clock } from "@sotto/clock";
import { Losses } from "@sotto/nats";
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
import { parseKind, parseTopic, positionOf } from "../topic.ts";
import { DirectReader } from "./direct-reader.ts";
import { logErrorOf } from "./jetstream-error.ts";
import { handshakeHeader, StreamPublisher } from "./stream-publisher.ts";
import { checkStream, streamInfo } from "./streams.ts";
import { partsOf, type Subjects } from "./subjects.ts";

/** What `openJetStreamLog` found and prepared. */
export interface OpenedStreams {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly subjects: Subjects;
  readonly incarnations: readonly Incarnation[];
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly pendingBytesMax: number;
  readonly close: () => Promise<void>;
}

/** What a waiting append holds beside its data. */
const overheadBytes = 1024;

/** The distributed `Log`. */
export class JetStreamLog implements Log {
  readonly #opened: OpenedStreams;
  readonly #publishers: readonly StreamPublisher[];
  readonly #reader: DirectReader;
  #pendingBytes = 0;
  #isClosed = false;

  constructor(opened: OpenedStreams) {
    const { connection, manager, subjects, clock, timeoutMs } = opened;
    this.#opened = opened;
    const losses = new Losses(connection);
    this.#reader = new DirectReader(manager, subjects, clock, timeoutMs, losses);
    this.#publishers = opened.incarnations.map(
      () => new StreamPublisher(connection, subjects, timeoutMs, losses),
    );
  }

  async append(request: AppendRequest): Promise<Appended> {
    this.#checkOpen();
    const { topic, data } = request;
    if (data.length > recordBytesMax) {
      throw new LogError("TOO_LARGE", `a record holds at most ${recordBytesMax} bytes`);
    }
    const bytes = data.length + overheadBytes;
    if (this.#pendingBytes + bytes > this.#opened.pendingBytesMax) {
      throw new LogError("UNAVAILABLE", "too many bytes wait to be stored");
    }
    this.#pendingBytes += bytes;
    try {
      const index = this.#opened.subjects.indexOf(topic);
      const outcome = await this.#publishers[index]?.publish(request);
      if (outcome === undefined) throw new LogError("UNAVAILABLE", "the topic has no stream");
      if (outcome instanceof LogError) throw await this.#told(topic, outcome);
      const position = positionOf(this.#incarnationOf(topic), outcome.sequence);
      return { position, duplicate: outcome.duplicate };
    } finally {
      this.#pendingBytes -= bytes;
    }
  }

  async read(request: ReadRequest): Promise<readonly LogRecord[]> {
    this.#checkOpen();
    const { topic, after, incarnation } = request;
    const limit = Math.min(Math.max(request.limit, 1), readRecordsMax);
    if (incarnation !== undefined && incarnation !== this.#incarnationOf(topic)) throw reset();
    const bytesMax = Math.min(request.bytesMax ?? readBytesMax, readBytesMax);
    const records = await this.#reader.read(topic, after, { limit, bytesMax });
    if (records.length === 0 && incarnation !== undefined) await this.#checkEnd(topic, after);
    return records;
  }

  async head(topic: Topic): Promise<TopicHead> {
    this.#checkOpen();
    return { incarnation: this.#incarnationOf(topic), ...(await this.#reader.last(topic)) };
  }

  /** Copies that the server publishes once it stored a record. None comes while disconnected. */
  async live(topic: Topic, deliver: (record: LogRecord) => void): Promise<LiveSubscription> {
    this.#checkOpen();
    const { connection, subjects } = this.#opened;
    try {
      const subscription = connection.subscribe(subjects.liveOf(topic), {
        callback: (error, message) => {
          if (!error) deliver(liveRecord(topic, message));
        },
      });
      // Until the server has the subscription, it may publish past it.
      await connection.flush();
      return { [Symbol.asyncDispose]: async () => subscription.unsubscribe() };
    } catch (cause) {
      throw logErrorOf(cause);
    }
  }

  async *topics(): AsyncIterable<Topic> {
    this.#checkOpen();
    const { manager, subjects } = this.#opened;
    for (let index = 0; index < subjects.streamCount; index++) {
      const filter = { subjects_filter: subjects.stored(index) };
      const info = await manager.streams.info(subjects.stream(index), filter).catch((cause) => {
        throw logErrorOf(cause);
      });
      const names = Object.keys(info.state.subjects ?? {});
      yield* [...new Set(names.map((name) => partsOf(name).topic))].flatMap(topicOrNone);
    }
  }

  async remove(topic: Topic): Promise<void> {
    this.#checkOpen();
    const { manager, subjects } = this.#opened;
    const stream = subjects.stream(subjects.indexOf(topic));
    try {
      await manager.streams.purge(stream, { filter: subjects.of(topic, "*") });
    } catch (cause) {
      throw logErrorOf(cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const publisher of this.#publishers) await publisher.idle();
    await this.#opened.close();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new LogError("UNAVAILABLE", "the log is closed");
  }

  #incarnationOf(topic: Topic): Incarnation {
    const incarnation = this.#opened.incarnations[this.#opened.subjects.indexOf(topic)];
    if (incarnation === undefined) throw new LogError("CORRUPT", "the topic has no stream");
    return incarnation;
  }

  /** Nothing follows a position: it is the end, or past the end of a log that lost records. */
  async #checkEnd(topic: Topic, after: number): Promise<void> {
    const { manager, subjects } = this.#opened;
    const name = subjects.stream(subjects.indexOf(topic));
    const info = await streamInfo(manager, name).catch((cause: unknown) => {
      throw logErrorOf(cause);
    });
    if (!info || checkStream(info, subjects.streamCount) !== this.#incarnationOf(topic)) {
      throw reset();
    }
    if (after > info.state.last_seq) throw reset();
  }

  /** Adds the last handshake record to a refusal where the server did not tell it. */
  async #told(topic: Topic, error: LogError): Promise<LogError> {
    if (error.code !== "STALE" || error.handshake !== undefined) return error;
    const head = await this.#reader.last(topic).catch(() => undefined);
    const handshake = head ? { handshake: head.handshake } : {};
    return new LogError("STALE", error.message, { ...handshake, cause: error.cause });
  }
}

function reset(): LogError {
  return new LogError("LOG_RESET", "the position is not of this log");
}

/** The stream takes any token: what is no topic was not written by this log, and is passed over. */
function topicOrNone(name: string): Topic[] {
  try {
    return [parseTopic(name)];
  } catch {
    return [];
  }
}

function liveRecord(topic: Topic, message: Msg): LogRecord {
  const header = (name: string) => Number(message.headers?.get(name) ?? 0);
  return {
    topic,
    kind: parseKind(partsOf(message.subject).kind),
    sequence: header("Nats-Sequence") as Sequence,
    previous: header("Nats-Last-Sequence"),
    handshake: header(handshakeHeader),
    data: message.data,
  };
}
