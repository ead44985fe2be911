import type {
  DirectBatchOptions,
  DirectLastFor,
  JetStreamManager,
  StoredMsg,
} from "@nats-io/jetstream";
import type { Clock } from "@sotto/clock";
import type { Losses } from "@sotto/nats";
import { LogError, type LogRecord, type Sequence, type Topic, type TopicHead } from "../log.ts";
import { parseKind } from "../topic.ts";
import { logErrorOf } from "./jetstream-error.ts";
import { handshakeHeader } from "./stream-publisher.ts";
import { partsOf, type Subjects } from "./subjects.ts";

/** Reads a topic's records by direct get: one request for many, and no consumer on the server. */
export class DirectReader {
  readonly #manager: JetStreamManager;
  readonly #subjects: Subjects;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #losses: Losses;

  constructor(
    manager: JetStreamManager,
    subjects: Subjects,
    clock: Clock,
    timeoutMs: number,
    losses: Losses,
  ) {
    this.#losses = losses;
    this.#manager = manager;
    this.#subjects = subjects;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  async read(
    topic: Topic,
    after: number,
    { limit, bytesMax }: { readonly limit: number; readonly bytesMax: number },
  ): Promise<LogRecord[]> {
    const next = {
      seq: after + 1,
      next_by_subj: this.#subjects.of(topic, "*"),
      batch: limit,
      max_bytes: bytesMax,
    };
    const [messages, before] = await Promise.all([
      this.#get(topic, next),
      after === 0 ? undefined : this.last(topic, after),
    ]);
    const previous = { h: before?.handshake ?? 0, m: before?.message ?? 0 };
    return messages.map((message) => {
      const kind = parseKind(partsOf(message.subject).kind);
      const record = recordOf(topic, message, previous[kind]);
      previous[kind] = record.sequence;
      return record;
    });
  }

  /** The last sequence of each subject, up to a sequence where one is given. */
  async last(topic: Topic, upTo?: number): Promise<Omit<TopicHead, "incarnation">> {
    const subjects = [this.#subjects.of(topic, "h"), this.#subjects.of(topic, "m")];
    const query: DirectLastFor = { multi_last: subjects };
    if (upTo !== undefined) query.up_to_seq = upTo;
    const messages = await this.#get(topic, query);
    const of = (kind: string) =>
      messages.find((message) => partsOf(message.subject).kind === kind)?.seq ?? 0;
    const [handshake, message] = [of("h"), of("m")];
    return { handshake, message, last: Math.max(handshake, message) };
  }

  async #get(
    topic: Topic,
    query: DirectBatchOptions | DirectLastFor,
  ): Promise<readonly StoredMsg[]> {
    const stream = this.#subjects.stream(this.#subjects.indexOf(topic));
    const messages: StoredMsg[] = [];
    try {
      const answers = await this.#losses.race(() =>
        "multi_last" in query
          ? this.#manager.direct.getLastMessagesFor(stream, query)
          : this.#manager.direct.getBatch(stream, query),
      );
      // Where the connection breaks amid the answers, their end never comes.
      const late = new LogError("UNAVAILABLE", "reading took too long");
      const timer = this.#clock.after(this.#timeoutMs, () => answers.stop(late));
      try {
        for await (const message of answers) messages.push(message);
      } finally {
        timer.cancel();
      }
    } catch (cause) {
      if (cause instanceof Error && /message not found/i.test(cause.message)) return [];
      throw logErrorOf(cause);
    }
    return messages;
  }
}

function recordOf(topic: Topic, message: StoredMsg, previous: number): LogRecord {
  return {
    topic,
    kind: parseKind(partsOf(message.subject).kind),
    sequence: message.seq as Sequence,
    previous,
    handshake: Number(message.header.get(handshakeHeader)),
    data: message.data,
  };
}
