import {
  errors,
  headers,
  type Msg,
  type NatsConnection,
  type Subscription,
} from "@nats-io/nats-core";
import { connectToNats, Losses, type NatsTarget, NatsTooOldError } from "@sotto/nats";
import {
  type Bus,
  BusError,
  type BusErrorCode,
  type BusMessage,
  type BusSubscription,
  busMessageBytesMax,
  type ServeOptions,
  type SubscribeOptions,
} from "./bus.ts";
import { Pending } from "./pending.ts";
import { callError, ServedCalls } from "./served-calls.ts";
import { checkPattern, checkSize, checkSubject } from "./subject.ts";

export interface NatsBusOptions extends NatsTarget {
  /** Told of every handler that threw. */
  readonly onError?: (error: unknown) => void;
}

const errorHeader = "Sotto-Error";

/** Connects to NATS. Rejects with `BusError` UNAVAILABLE, also where the server is older than 2.12. */
export async function connectNatsBus(options: NatsBusOptions): Promise<Bus> {
  try {
    return new NatsBus(await connectToNats(options), options.onError ?? (() => {}));
  } catch (cause) {
    const why = cause instanceof NatsTooOldError ? cause.message : "NATS cannot be reached";
    throw new BusError("UNAVAILABLE", why, { cause });
  }
}

class NatsBus implements Bus {
  readonly #connection: NatsConnection;
  readonly #onError: (error: unknown) => void;
  readonly #losses: Losses;
  #connected = true;

  constructor(connection: NatsConnection, onError: (error: unknown) => void) {
    this.#connection = connection;
    this.#onError = onError;
    this.#losses = new Losses(connection);
    void this.#watch();
  }

  get connected(): boolean {
    return this.#connected && !this.#connection.isClosed();
  }

  publish(subject: string, data: Uint8Array): void {
    this.#check(subject, data);
    // The client would keep it, without a bound, and send it late.
    if (!this.#connected) return;
    // The client keeps the buffer until it is flushed, and the caller may reuse it at once.
    this.#connection.publish(subject, data.slice());
  }

  async subscribe(
    subject: string,
    handler: (message: BusMessage) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Promise<BusSubscription> {
    checkPattern(subject);
    this.#checkOpen();
    const pending = new Pending(handler, options, this.#onError);
    const close = () => pending.close();
    const queue = options.queue === undefined ? {} : { queue: options.queue };
    return await this.#listen(subject, queue, close, (message) =>
      pending.push({ subject: message.subject, data: message.data.slice() }),
    );
  }

  async request(
    subject: string,
    data: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array> {
    this.#check(subject, data);
    options.signal?.throwIfAborted();
    const { timeoutMs: timeout } = options;
    const asked = this.#losses.race(() =>
      this.#connection.request(subject, data.slice(), { timeout }),
    );
    const reply = await (options.signal
      ? Promise.race([asked, aborted(options.signal, asked)])
      : asked
    ).catch((error) => {
      throw error === options.signal?.reason ? error : requestError(subject, error);
    });
    const code = reply.headers?.get(errorHeader);
    if (code) throw callError(code === "BUSY" ? "BUSY" : "HANDLER_FAILED");
    return reply.data.slice();
  }

  async serve(
    subject: string,
    handler: (message: BusMessage) => Promise<Uint8Array>,
    options: ServeOptions,
  ): Promise<BusSubscription> {
    checkSubject(subject);
    this.#checkOpen();
    const calls = new ServedCalls(handler, options, this.#onError);
    const close = () => calls.close();
    return await this.#listen(
      subject,
      { queue: options.queue },
      close,
      (message) => void this.#answer(calls, message).catch(this.#onError),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#connection.isClosed())
      await this.#connection.drain().catch(() => this.#connection.close());
  }

  async #answer(calls: ServedCalls, message: Msg): Promise<void> {
    const outcome = await calls.answer({ subject: message.subject, data: message.data.slice() });
    if (this.#connection.isClosed()) return;
    if (outcome.ok) {
      message.respond(outcome.data);
      return;
    }
    const failure = headers();
    failure.set(errorHeader, outcome.code);
    message.respond(new Uint8Array(), { headers: failure });
  }

  /** Subscribes, and waits until the server took it. A server that refuses it does so before it answers the flush. */
  async #listen(
    subject: string,
    queue: { readonly queue?: string },
    close: () => void,
    heard: (message: Msg) => void,
  ): Promise<BusSubscription> {
    let refusal: Error | undefined;
    const subscription = this.#connection.subscribe(subject, {
      ...queue,
      callback: (error, message) => {
        // An answer goes to an inbox, wherever its caller wants it.
        if (!error) return isElsewhere(message.reply) ? undefined : heard(message);
        refusal = error;
        this.#onError(error);
      },
    });
    try {
      await this.#connection.flush();
    } catch (cause) {
      await this.#end(subscription, close);
      throw new BusError("UNAVAILABLE", "NATS cannot be reached", { cause });
    }
    if (refusal) {
      await this.#end(subscription, close);
      throw new BusError("UNAVAILABLE", `NATS refuses to tell ${subject}`, { cause: refusal });
    }
    return { [Symbol.asyncDispose]: () => this.#end(subscription, close) };
  }

  async #end(subscription: Subscription, closed: () => void): Promise<void> {
    closed();
    if (!subscription.isClosed()) subscription.unsubscribe();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === "disconnect") this.#connected = false;
      if (type === "reconnect") this.#connected = true;
    }
  }

  #check(subject: string, data: Uint8Array): void {
    checkSubject(subject);
    checkSize(data, busMessageBytesMax);
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#connection.isClosed()) throw new BusError("UNAVAILABLE", "the bus is closed");
  }
}

function isElsewhere(reply: string | undefined): boolean {
  return reply !== undefined && reply !== "" && !reply.startsWith("_INBOX.");
}

function aborted(signal: AbortSignal, settled: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const release = () => signal.removeEventListener("abort", abort);
    settled.then(release, release);
  });
}

function requestError(subject: string, error: unknown): BusError {
  return new BusError(requestCode(error), `no answer from ${subject}`, { cause: error });
}

/** The client wraps what happened to a request, once or more often. */
function requestCode(error: unknown): BusErrorCode {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof errors.NoRespondersError) return "NO_RESPONDERS";
    if (cause instanceof errors.RequestError && cause.isNoResponders()) return "NO_RESPONDERS";
    if (cause instanceof errors.TimeoutError) return "TIMEOUT";
  }
  return "UNAVAILABLE";
}
