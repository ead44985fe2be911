import { randomBytes } from "node:crypto";
import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import type { Losses } from "@sotto/nats";
import { type AppendRequest, LogError } from "../log.ts";
import { apiError, logErrorOf } from "./jetstream-error.ts";
import type { Subjects } from "./subjects.ts";

/** The record's condition, kept with it so that readers know a message's handshake record. */
export const handshakeHeader = "Sotto-H";

/** What the server answered to one record. */
export interface Published {
  readonly sequence: number;
  readonly duplicate: boolean;
}

interface Waiting {
  readonly request: AppendRequest;
  readonly settle: (outcome: Published | LogError) => void;
}

interface Acknowledgement {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly count?: number;
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

/** The server takes 1,000; a smaller batch keeps the sync's wait short. */
const batchRecordsMax = 256;
const batchBytesMax = 4 * 1024 * 1024;

/**
 * Appends to one stream, one write at a time. Messages that wait meanwhile go together as one
 * atomic batch, since one sync costs the same whatever it carries; a refused batch is retried
 * record by record, so that each gets its own answer. A handshake record always goes alone.
 */
export class StreamPublisher {
  readonly #connection: NatsConnection;
  readonly #subjects: Subjects;
  readonly #timeoutMs: number;
  readonly #losses: Losses;
  #waiting: Waiting[] = [];
  #publishing: Promise<void> | undefined;

  constructor(connection: NatsConnection, subjects: Subjects, timeoutMs: number, losses: Losses) {
    this.#losses = losses;
    this.#connection = connection;
    this.#subjects = subjects;
    this.#timeoutMs = timeoutMs;
  }

  publish(request: AppendRequest): Promise<Published | LogError> {
    return new Promise((settle) => {
      this.#waiting.push({ request, settle });
      this.#publishing ??= this.#publishAll();
    });
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#publishing) await this.#publishing;
  }

  async #publishAll(): Promise<void> {
    // One turn of the microtask queue, so that appends of the same tick share the first batch.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      if (batch.length > 1 && (await this.#publishBatch(batch))) continue;
      // In flight one at a time: a later one must not overtake one that is refused.
      for (const { request, settle } of batch) {
        const outcome = await this.#publishOne(request);
        settle(outcome);
        if (isUnanswered(outcome)) this.#giveUp(outcome);
      }
    }
    this.#publishing = undefined;
  }

  /** While the server does not answer, what waits would wait for one time-out after another. */
  #giveUp(error: LogError): void {
    for (const { settle } of this.#waiting) settle(error);
    this.#waiting = [];
  }

  /** One handshake record, or the messages up to the next one. */
  #takeBatch(): readonly Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const { request } of this.#waiting) {
      bytes += request.data.length;
      if (count > 0 && (request.kind === "h" || bytes > batchBytesMax)) break;
      count++;
      if (request.kind === "h" || count === batchRecordsMax) break;
    }
    const batch = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return batch;
  }

  async #publishOne(request: AppendRequest): Promise<Published | LogError> {
    const answer = await this.#request(request, this.#headersOf(request));
    if (answer instanceof LogError) return answer;
    if (answer.seq === undefined) return new LogError("UNAVAILABLE", "no sequence was answered");
    return { sequence: answer.seq, duplicate: answer.duplicate === true };
  }

  /** True where the batch was stored whole and its records are settled. */
  async #publishBatch(batch: readonly Waiting[]): Promise<boolean> {
    const id = randomBytes(16).toString("hex");
    let answer: Acknowledgement | LogError = {};
    for (const [index, { request }] of batch.entries()) {
      const own = this.#headersOf(request);
      own.set("Nats-Batch-Id", id);
      own.set("Nats-Batch-Sequence", String(index + 1));
      if (index < batch.length - 1) this.#send(request, own);
      else {
        own.set("Nats-Batch-Commit", "1");
        answer = await this.#request(request, own);
      }
    }
    if (answer instanceof LogError) {
      if (!isUnanswered(answer)) return false;
      for (const { settle } of batch) settle(answer);
      this.#giveUp(answer);
      return true;
    }
    if (answer.seq === undefined || answer.count !== batch.length) return false;
    const first = answer.seq - batch.length + 1;
    for (const [index, { settle }] of batch.entries()) {
      settle({ sequence: first + index, duplicate: false });
    }
    return true;
  }

  #headersOf(request: AppendRequest): MsgHdrs {
    const own = headers();
    own.set("Nats-Msg-Id", request.key);
    own.set("Nats-Expected-Last-Subject-Sequence", String(request.expectHandshake));
    own.set("Nats-Expected-Last-Subject-Sequence-Subject", this.#subjects.of(request.topic, "h"));
    own.set(handshakeHeader, String(request.expectHandshake));
    return own;
  }

  #send(request: AppendRequest, own: MsgHdrs): void {
    // Copied: the client keeps the bytes until it flushes, which may be after a time-out.
    const data = request.data.slice();
    try {
      this.#connection.publish(this.#subjects.of(request.topic, request.kind), data, {
        headers: own,
      });
    } catch {
      // The connection is closed; the batch's last record tells.
    }
  }

  async #request(request: AppendRequest, own: MsgHdrs): Promise<Acknowledgement | LogError> {
    const subject = this.#subjects.of(request.topic, request.kind);
    try {
      const options = { headers: own, timeout: this.#timeoutMs };
      const reply = await this.#losses.race(() =>
        this.#connection.request(subject, request.data.slice(), options),
      );
      const answer = reply.json<Acknowledgement>();
      if (!answer.error) return answer;
      const { err_code = 0, description = "refused" } = answer.error;
      return apiError(err_code, description, new Refusal(description));
    } catch (cause) {
      return logErrorOf(cause);
    }
  }
}

/** The cause of an error that the server answered: nothing was stored. */
class Refusal extends Error {}

/** Nobody knows whether the record stands. */
function isUnanswered(outcome: Published | LogError): outcome is LogError {
  if (!(outcome instanceof LogError) || outcome.code !== "UNAVAILABLE") return false;
  return !(outcome.cause instanceof Refusal);
}
