import type { Clock, Timer } from "@sotto/clock";
import { CloseCode } from "@sotto/protocol";
import type { EdgeConfig } from "../edge-config.ts";
import type { EdgeLimits } from "../edge-limits.ts";
import type { EdgeEvents } from "../events.ts";
import type { Connection } from "./connection.ts";
import { eventFrame } from "./frames.ts";

export interface ConnectionsOptions {
  readonly clock: Clock;
  readonly limits: EdgeLimits;
  readonly config: EdgeConfig;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly events: EdgeEvents;
}

const watchPeriodMaxMs = 5000;
/** Fifty logins a second are a small part of one core. */
const drainSpreadPerClientMs = 20;

/** All connections of an edge: watched for silence, and drained together. */
export class Connections implements AsyncDisposable, Iterable<Connection> {
  readonly #options: ConnectionsOptions;
  readonly #open = new Set<Connection>();
  readonly #watch: Timer;
  #draining: Promise<void> | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const { pingIntervalMs, idleTimeoutMs } = options.limits;
    const periodMs = Math.min(watchPeriodMaxMs, pingIntervalMs / 4, idleTimeoutMs / 4);
    this.#watch = options.clock.every(periodMs, () => {
      const atMs = options.clock.monotonic();
      for (const connection of [...this.#open]) connection.watch(atMs);
    });
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#open.values();
  }

  get size(): number {
    return this.#open.size;
  }

  get draining(): boolean {
    return this.#draining !== undefined;
  }

  /** Bytes that wait to be written to all clients. */
  get outboxBytes(): number {
    let bytes = 0;
    for (const connection of this.#open) bytes += connection.outbox.waitingBytes;
    return bytes;
  }

  add(connection: Connection): void {
    this.#open.add(connection);
    this.#options.events.connected();
    void connection.gone.then(() => this.#open.delete(connection));
    connection.open();
    if (this.#draining) connection.end(CloseCode.DRAINING, "this edge is closing");
  }

  /** Tells every client when to come back, ends its connection, and waits a bounded time for all of them. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  /** Ends every connection that is logged in: its client comes back, logs in anew, and sees what has changed. */
  sendBack(message: string): void {
    const ready = [...this.#open].filter(({ isReady }) => isReady);
    for (const connection of ready)
      connection.end(CloseCode.GOING_AWAY, message, this.#spread(ready.length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
    this.#watch.cancel();
  }

  async #drain(): Promise<void> {
    const { clock, config, events } = this.#options;
    events.draining(this.#open.size);
    const address = config.drainAddress ?? "";
    const clients = this.#open.size;
    for (const connection of [...this.#open]) {
      const reconnectAfterMs = this.#spread(clients);
      connection.tell(eventFrame({ case: "draining", value: { reconnectAfterMs, address } }));
      connection.end(CloseCode.DRAINING, "this edge is closing", reconnectAfterMs);
    }
    const late = clock.after(config.drainTimeoutMs ?? 3000, () => {
      for (const connection of [...this.#open]) connection.destroy();
    });
    await Promise.all([...this.#open].map((connection) => connection.gone));
    late.cancel();
  }

  /**
   * When one of so many clients is to come back, ms. All at once would cost as many handshakes at
   * once; but the few of a small team need not wait for one another.
   */
  #spread(clients: number): number {
    const spreadMs = Math.min(
      this.#options.config.drainSpreadMs ?? 5000,
      clients * drainSpreadPerClientMs,
    );
    const random = new DataView(this.#options.randomBytes(4).slice().buffer).getUint32(0) / 2 ** 32;
    return Math.floor(random * spreadMs);
  }
}
