import { randomBytes } from "node:crypto";
import type { AppendRequest, Log, SubjectKind, Topic } from "./log.ts";
import { parseTopic } from "./topic.ts";

/** Appends to one topic as a member would, knowing its last handshake record. */
export class TopicWriter {
  readonly topic: Topic;
  readonly #log: Log;
  #handshake = 0;

  constructor(log: Log, topic: Topic = parseTopic(randomBytes(16).toString("hex"))) {
    this.#log = log;
    this.topic = topic;
  }

  request(kind: SubjectKind, text: string, other: Partial<AppendRequest> = {}): AppendRequest {
    const key = randomBytes(32).toString("hex");
    const data = Buffer.from(text);
    return { topic: this.topic, kind, key, expectHandshake: this.#handshake, data, ...other };
  }

  async append(kind: SubjectKind, text: string): Promise<number> {
    const { position } = await this.#log.append(this.request(kind, text));
    if (kind === "h") this.#handshake = position.sequence;
    return position.sequence;
  }
}
