import {
  errors,
  headers,
  type Msg,
  type NatsConnection,
  type Subscription,
} from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
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

export interface NatsBusOptions {
  /** `nats://host:port`, one or more; credentials in the first address are used for all. */
  readonly servers: readonly string[] | string;
  readonly user?: string;
  readonly pass?: string;
  /** Shown in the server's list of connections. */
  readonly name?: string;
  /** Told of every handler that threw. */
  readonly onError?: (error: unknown) => void;
}

const oldestServer = [2, 12] as const;
const errorHeader = "Sotto-Error";

/** Connects to NATS. Rejects with `BusError` UNAVAILABLE, also where the server is older than 2.12. */
export async function connectNatsBus(options: NatsBusOptions): Promise<Bus> {
  const connection = await open(options);
  const version = connection.info?.version ?? "0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < oldestServer[0] || (major === oldestServer[0] && minor < oldestServer[1])) {
    await connection.close();
    throw new BusError(
      "UNAVAILABLE",
      `nats-server ${version} is too old: Sotto needs ${oldestServer.join(".")} or newer`,
    );
  }
  return new NatsBus(connection, options.onError ?? (() => {}));
}

async function open(options: NatsBusOptions): Promise<NatsConnection> {
  const list = typeof options.servers === "string" ? [options.servers] : [...options.servers];
  const first = new URL(list[0] ?? "nats://127.0.0.1:4222");
  const user = options.user ?? decodeURIComponent(first.username);
  const pass = options.pass ?? decodeURIComponent(first.password);
  try {
    return await connect({
      servers: list.map((server) => new URL(server).host),
      ...(user ? { user, pass } : {}),
      ...(options.name ? { name: options.name } : {}),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      pingInterval: 5_000,
      maxPingOut: 2,
    });
  } catch (cause) {
    throw new BusError("UNAVAILABLE", "NATS cannot be reached", { cause });
  }
}

class NatsBus implements Bus {
  readonly #connection: NatsConnection;
  readonly #onError: (error: unknown) => void;
  #connected = true;

  constructor(connection: NatsConnection, onError: (error: unknown) => void) {
    this.#connection = connection;
    this.#onError = onError;
    void this.#watch();
  }

  get connected(): boolean {
    return this.#connected && !this.#connection.isClosed();
  }

  publish(subject: string, data: Uint8Array): void {
    this.#check(subject, data);
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
    const subscription = this.#connection.subscribe(subject, {
      ...(options.queue === undefined ? {} : { queue: options.queue }),
      callback: (error, message) => {
        if (error) this.#onError(error);
        else pending.push({ subject: message.subject, data: message.data.slice() });
      },
    });
    await this.#flush();
    return { [Symbol.asyncDispose]: () => this.#end(subscription, () => pending.close()) };
  }

  async request(
    subject: string,
    data: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array> {
    this.#check(subject, data);
    options.signal?.throwIfAborted();
    const asked = this.#connection.request(subject, data.slice(), { timeout: options.timeoutMs });
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
    let ended = false;
    const subscription = this.#connection.subscribe(subject, {
      queue: options.queue,
      callback: (error, message) => {
        if (error) this.#onError(error);
        else if (!ended) void this.#answer(calls, message);
      },
    });
    await this.#flush();
    return {
      [Symbol.asyncDispose]: () =>
        this.#end(subscription, () => {
          ended = true;
        }),
    };
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

  async #flush(): Promise<void> {
    try {
      await this.#connection.flush();
    } catch (cause) {
      throw new BusError("UNAVAILABLE", "NATS cannot be reached", { cause });
    }
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
