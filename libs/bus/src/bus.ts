/**
 * The `Bus` port: hints and calls between services.
 *
 * Promise: at most once, ordered per publisher and subject. A subscriber sees what is
 * published after `subscribe` resolved. Over its bound a subscription drops the newest
 * and says so through `onDropped`. Nothing on the bus is durable: facts live in the log
 * and in the directory.
 *
 * Ownership of bytes: the bus copies what it keeps beyond the call, so a caller may reuse
 * its buffer at once. Delivered bytes belong to the receiver.
 */

/** Dot-separated tokens of `[A-Za-z0-9_-]+`. Subscriptions may use `*` (one token) and a final `>`. */
export type BusSubject = string;

export interface BusMessage {
  readonly subject: BusSubject;
  readonly data: Uint8Array;
}

export interface SubscribeOptions {
  /** Members of one queue group share the messages: each goes to one of them. */
  readonly queue?: string;
  /** Messages waiting for the handler before the bus drops the newest. Default 4,096. */
  readonly pendingMax?: number;
  /** Told how many were dropped since the last call. */
  readonly onDropped?: (count: number) => void;
}

export interface ServeOptions {
  /** Instances that serve under the same queue share the calls. */
  readonly queue: string;
  /** Calls handled at the same time; more wait, up to `pendingMax`, then answer `BUSY`. Default 64. */
  readonly concurrency?: number;
  readonly pendingMax?: number;
}

export type BusErrorCode =
  /** Nobody serves the subject. */
  | "NO_RESPONDERS"
  | "TIMEOUT"
  /** The responder's queue is full. */
  | "BUSY"
  /** `data` is larger than `busMessageBytesMax`. */
  | "TOO_LARGE"
  /** The responder's handler threw; the cause stays on its side. */
  | "HANDLER_FAILED"
  | "UNAVAILABLE";

export class BusError extends Error {
  override readonly name = "BusError";
  readonly code: BusErrorCode;
  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const busMessageBytesMax = 1024 * 1024;

/** Ends a subscription or a service. Idempotent; no handler starts after it resolved. */
export interface BusSubscription extends AsyncDisposable {}

export interface Bus extends AsyncDisposable {
  /** Hands a message over; does not wait for anybody to receive it. Throws `BusError`. */
  publish(subject: BusSubject, data: Uint8Array): void;
  /** One message at a time per subscription; a handler that throws is logged by `onError` of the adapter. */
  subscribe(
    subject: BusSubject,
    handler: (message: BusMessage) => void | Promise<void>,
    options?: SubscribeOptions,
  ): Promise<BusSubscription>;
  /** Asks one responder. Rejects with `BusError`, or the signal's reason. */
  request(
    subject: BusSubject,
    data: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array>;
  serve(
    subject: BusSubject,
    handler: (message: BusMessage) => Promise<Uint8Array>,
    options: ServeOptions,
  ): Promise<BusSubscription>;
  /** True while messages can flow. */
  readonly connected: boolean;
}
