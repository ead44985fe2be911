import { type Clock, systemClock } from "@sotto/clock";
import { ErrorCode } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import { greet } from "../devices/stranger.ts";
import { isConnectionLoss, serverError } from "../errors.ts";
import type { ServerAddress, Transport } from "../ports/transport.ts";
import type { DirectoryServer } from "./directory-server.ts";

/** Of one question: a connection without a login may end at any of them. */
const attemptsMax = 3;

export interface NotLetInOptions {
  readonly transport: Transport;
  readonly address: ServerAddress;
  readonly serverKeySha256: Uint8Array;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/**
 * The server of a device that it does not let in: it proved itself, and nobody is logged in. Over this it still gives
 * records that the device knows already, with a note of its own. Connects when first asked, and anew when a connection
 * has had all the requests, or all the time, that it may have.
 */
export class NotLetIn implements DirectoryServer, Disposable {
  readonly #options: NotLetInOptions;
  #connection: Connection | undefined;

  constructor(options: NotLetInOptions) {
    this.#options = options;
  }

  /** Empty until something was asked. */
  get serverKey(): Uint8Array {
    return this.#connection?.serverKey ?? new Uint8Array();
  }

  /** Rejects as `Connection` does, and with WRONG_SERVER. */
  request: DirectoryServer["request"] = async (body, expected) => {
    const { clock = systemClock, signal } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const connection = await this.#greeted();
      try {
        return await connection.request(body, expected);
      } catch (error) {
        const refused = serverError(error);
        const isSpent = refused?.code === ErrorCode.RATE_LIMITED || isConnectionLoss(error);
        if (!isSpent || attempt === attemptsMax) throw error;
        connection.close();
        if (refused?.retryAfterMs) await clock.sleep(refused.retryAfterMs, signal);
      }
    }
  };

  [Symbol.dispose](): void {
    this.#connection?.close();
  }

  async #greeted(): Promise<Connection> {
    if (this.#connection && !this.#connection.closed) return this.#connection;
    const { transport, address, serverKeySha256, signal } = this.#options;
    const greeted = await greet(transport, address, serverKeySha256, signal);
    this.#connection = greeted.connection;
    return greeted.connection;
  }
}
