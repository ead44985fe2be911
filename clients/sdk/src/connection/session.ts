import type { Clock } from "@sotto/clock";
import type { Signer } from "@sotto/identity";
import {
  type Authenticated,
  authInput,
  CloseCode,
  type DeviceId,
  ErrorCode,
  type Event,
  fromHex,
  type Hello,
  type Record as RecordMessage,
  reconnects,
  SottoError,
  tlsBinding,
  webSocketBinding,
} from "@sotto/protocol";
import { randomBytes } from "../bytes.ts";
import type { Checks } from "../checks.ts";
import { closed, isConnectionLoss, SottoClientError } from "../errors.ts";
import type { ServerAddress, Transport, TransportConnection } from "../ports/transport.ts";
import { Backoff } from "./backoff.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import { checkServer } from "./server-proof.ts";

const protocolVersion = 1;

export interface SessionOptions {
  readonly transport: Transport;
  readonly address: ServerAddress;
  readonly serverKeySha256: Uint8Array;
  readonly device: DeviceId;
  readonly authKey: Signer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly checks: Checks;
  /** What to tell where the server does not know this device: its record may never have stood, or was altered. */
  readonly unknown?: (cause: Error) => Promise<Error>;
  /** Asked at every login. */
  quiet(): boolean;
}

export interface SessionEvents {
  event(event: Event): void;
  record(record: RecordMessage): void;
  /**
   * The server of a new connection has proved itself, and nobody is logged in. Resolves with true where the server
   * lacks records of its directory, and so may not know this device.
   */
  greeted(connection: Connection, hello: Hello): Promise<boolean>;
  /** A new connection is logged in. What it throws ends the connection. */
  online(connection: Connection, login: Authenticated): Promise<void>;
  offline(reason: string): void;
  /** The server will not have this device any more, or is not the server: no more attempts. */
  refused(error: Error): void;
}

/**
 * Keeps one device connected: connects, proves server and device to each other, and begins again
 * after a loss until it is disposed.
 */
export class Session implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  readonly #waiting = new Set<{
    resolve(connection: Connection): void;
    reject(error: Error): void;
  }>();
  #connection: Connection | undefined;
  /** The connection of now, logged in or not yet. */
  #open: Connection | undefined;
  #refused: Error | undefined;
  #attempting = false;
  #lastFailure: Error | undefined;
  #running: Promise<void> | undefined;
  /** Ends the wait before the next attempt, where nothing but this client's own patience asks for it. */
  #wake: (() => void) | undefined;

  constructor(options: SessionOptions, events: SessionEvents) {
    this.#options = options;
    this.#events = events;
    this.#backoff = new Backoff(options.random);
  }

  /** Begins to connect, in the background. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Why no more attempts are made. */
  get refusal(): Error | undefined {
    return this.#refused;
  }

  /** True while an attempt is under way that may still succeed. */
  get trying(): boolean {
    return !this.#connection && !this.#refused && this.#attempting;
  }

  /** Somebody waits: tries at once, unless the server asked for a wait. */
  hurry(): void {
    this.#wake?.();
  }

  /** The logged-in connection of now, if any. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  /**
   * The logged-in connection, waited for up to `timeoutMs`. Rejects with NOT_REACHABLE, with the
   * reason of a refusal, with CLOSED once this is disposed, or with the signal's reason.
   */
  async ready(timeoutMs: number, signal?: AbortSignal): Promise<Connection> {
    this.#stop.signal.throwIfAborted();
    if (this.#connection) return this.#connection;
    if (this.#refused) throw this.#refused;
    signal?.throwIfAborted();
    return await new Promise<Connection>((resolve, reject) => {
      const waiter = {
        resolve: (connection: Connection) => settle(() => resolve(connection)),
        reject: (error: Error) => settle(() => reject(error)),
      };
      const timer = this.#options.clock.after(timeoutMs, () => {
        waiter.reject(
          this.#lastFailure ??
            new SottoClientError("NOT_REACHABLE", "the server did not answer in time"),
        );
      });
      const abort = () => waiter.reject(signal?.reason);
      const settle = (finish: () => void) => {
        timer.cancel();
        signal?.removeEventListener("abort", abort);
        this.#waiting.delete(waiter);
        finish();
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = closed();
    this.#stop.abort(reason);
    this.#open?.close(reason.message, reason);
    for (const waiter of this.#waiting) waiter.reject(this.#stop.signal.reason);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted && !this.#refused) {
      this.#attempting = true;
      const wishMs = await this.#live();
      this.#attempting = false;
      if (this.#stop.signal.aborted || this.#refused) break;
      const hurry = new AbortController();
      if (wishMs === 0) this.#wake = () => hurry.abort();
      await this.#options.clock
        .sleep(this.#backoff.next(wishMs), AbortSignal.any([this.#stop.signal, hurry.signal]))
        .catch(() => {});
      this.#wake = undefined;
    }
  }

  /** One connection from beginning to end. Answers how long the server wants us to stay away, in ms. */
  async #live(): Promise<number> {
    let ended: (wishMs: number) => void = () => {};
    const end = new Promise<number>((resolve) => {
      ended = resolve;
    });
    let online = false;
    let lacking = false;
    let isRefused = false;
    let connection: Connection | undefined;
    try {
      const opened = await this.#opened({
        event: (event) => this.#events.event(event),
        record: (record) => this.#events.record(record),
        closed: (reason, reconnectAfterMs, closeCode) => {
          if (this.#connection === connection) this.#connection = undefined;
          this.#lastFailure = new SottoClientError("NOT_REACHABLE", reason);
          // The answer to the login says more, and may come with it.
          isRefused = !online && closeCode === CloseCode.AUTHENTICATION_FAILED;
          if (
            closeCode !== undefined &&
            !reconnects(closeCode) &&
            closeCode !== CloseCode.LOGIN_TIMEOUT &&
            !isRefused
          ) {
            this.#refuse(
              closeCode === CloseCode.DEVICE_REVOKED
                ? revoked()
                : new SottoClientError("REFUSED", reason),
            );
          }
          if (online) this.#events.offline(reason);
          ended(reconnectAfterMs ?? 0);
        },
      });
      connection = opened.connection;
      this.#open = connection;
      if (this.#stop.signal.aborted) connection.close("closed", this.#stop.signal.reason);
      const { hello, transport } = opened;
      const { checks, serverKeySha256, clock } = this.#options;
      if (checks.serverPin) await checkServer(hello, transport, serverKeySha256, clock.now());
      lacking = await this.#events.greeted(connection, hello);
      const login = await authenticate(connection, hello, transport, this.#options);
      await this.#events.online(connection, login);
      if (connection.closed) return await end;
      online = true;
      this.#connection = connection;
      this.#backoff.reset();
      for (const waiter of this.#waiting) waiter.resolve(connection);
    } catch (error) {
      if (isRefused && !lacking && isConnectionLoss(error)) this.#refuse(noAnswer(error));
      else await this.#fail(lacking && isUnknown(error) ? forgotten(error) : error);
      connection?.close();
      return 0;
    }
    return await end;
  }

  /** Connects, and is greeted, within the patience of now. */
  async #opened(events: ConnectionEvents): ReturnType<typeof Connection.open> {
    const { transport, address, clock } = this.#options;
    const { patienceMs } = this.#backoff;
    const patience = new AbortController();
    const timer = clock.after(patienceMs, () => {
      const { host, port } = address;
      const silent = `no answer from ${host}:${port} within ${patienceMs / 1000} s`;
      patience.abort(new SottoClientError("NOT_REACHABLE", silent));
    });
    try {
      const signal = AbortSignal.any([this.#stop.signal, patience.signal]);
      return await Connection.open(transport, address, events, signal);
    } finally {
      timer.cancel();
    }
  }

  async #fail(error: unknown): Promise<void> {
    const cause = error instanceof Error ? error : new Error(String(error));
    if (isFinal(cause)) this.#refuse(await this.#told(cause));
    this.#lastFailure = cause;
  }

  async #told(cause: Error): Promise<Error> {
    if (isRevocation(cause)) return revoked(cause);
    const { unknown } = this.#options;
    return unknown && isUnknown(cause) ? await unknown(cause) : cause;
  }

  #refuse(error: Error): void {
    if (this.#refused || this.#stop.signal.aborted) return;
    this.#refused = error;
    for (const waiter of this.#waiting) waiter.reject(error);
    this.#events.refused(error);
  }
}

/** Proves this device on a connection whose server was checked. Rejects with `SottoError`. */
export async function authenticate(
  connection: Connection,
  hello: Hello,
  transport: TransportConnection,
  options: Pick<SessionOptions, "device" | "authKey" | "quiet">,
): Promise<Authenticated> {
  const nonce = randomBytes(32);
  const device = fromHex(options.device);
  const binding =
    transport.binding.kind === "exporter"
      ? tlsBinding(transport.binding.exporter)
      : webSocketBinding(transport.binding.origin);
  const input = authInput({
    serverKey: hello.serverKey,
    serverNonce: hello.nonce,
    clientNonce: nonce,
    device,
    binding,
  });
  const signature = await options.authKey.sign(input);
  const body = { protocolVersion, device, nonce, signature, quiet: options.quiet() };
  return await connection.request({ case: "authenticate", value: body }, "authenticated");
}

/** True where the server may not know the device. */
export function isUnknown(error: unknown): boolean {
  const code = error instanceof SottoError ? error.code : undefined;
  return code === ErrorCode.UNKNOWN_DEVICE || code === ErrorCode.BAD_SIGNATURE;
}

/** A server that lost records learns them again from those who have them: no reason to give up. */
function forgotten(cause: unknown): SottoClientError {
  return new SottoClientError(
    "NOT_REACHABLE",
    "the server runs on an older copy and does not know this device yet; it is being handed what it lacks",
    { cause },
  );
}

/** The server ended the connection because of the login, and nothing came that says why. */
function noAnswer(cause: unknown): SottoClientError {
  return new SottoClientError("REFUSED", "the login was refused", { cause });
}

function isRevocation(error: Error): boolean {
  return error instanceof SottoError && error.code === ErrorCode.DEVICE_REVOKED;
}

/** What a person reads on a device that is out. */
function revoked(cause?: unknown): SottoClientError {
  return new SottoClientError(
    "REVOKED",
    "this device was revoked: it hears and sends nothing any more. What it has read stays here. To use this machine again, link it anew with another profile folder (--home)",
    { cause },
  );
}

/** True where trying again changes nothing until a person acts. */
function isFinal(error: Error): boolean {
  if (error instanceof SottoClientError) return error.code === "WRONG_SERVER";
  if (!(error instanceof SottoError)) return false;
  return (
    error.code === ErrorCode.DEVICE_REVOKED ||
    error.code === ErrorCode.ACCOUNT_DISABLED ||
    error.code === ErrorCode.UNKNOWN_DEVICE ||
    error.code === ErrorCode.BAD_SIGNATURE ||
    error.code === ErrorCode.UNSUPPORTED_VERSION
  );
}
