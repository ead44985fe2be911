import type { Incarnation, Log, LogRecord, Topic } from "@sotto/log";

export interface FollowRequest {
  readonly log: Log;
  readonly topic: Topic;
  readonly incarnation: Incarnation;
  /** Records after this sequence are delivered, each once, in order. */
  readonly after: number;
  readonly deliver: (record: LogRecord) => void;
  /** Nothing will be delivered any more. */
  readonly failed: (error: unknown) => void;
}

/** A log's topic being followed. Disposing it ends the delivery. */
export interface Following extends Disposable {
  /** Reads what follows the last delivered record, in case the newest live one was lost. */
  poke(): void;
}

/** Delivers a topic's records in order and without gaps, as they become durable. */
export type Follow = (request: FollowRequest) => Following;
