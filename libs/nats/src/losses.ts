import type { NatsConnection } from "@nats-io/nats-core";

/** The connection broke while an answer was waited for: whether the request was heard is unknown. */
export class NatsLostError extends Error {
  override readonly name = "NatsLostError";

  constructor() {
    super("the connection to NATS broke");
  }
}

/**
 * Ends waits at the moment when their connection breaks: an answer that was under way then never comes, and the
 * client would wait for its whole time-out.
 */
export class Losses {
  readonly #waiting = new Set<(error: NatsLostError) => void>();
  #connected = true;

  constructor(connection: NatsConnection) {
    void this.#watch(connection);
  }

  /**
   * As the answer to `ask`, or a rejection with `NatsLostError` as soon as the connection breaks; at once, and without
   * asking, while it is broken: the client would drop the request when it dials, and wait.
   */
  race<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    if (!this.#connected) return Promise.reject(new NatsLostError());
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const settled = () => this.#waiting.delete(reject);
      ask().then(resolve, reject).finally(settled);
    });
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === "reconnect") this.#connected = true;
      if (type !== "disconnect") continue;
      this.#connected = false;
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const reject of waiting) reject(new NatsLostError());
    }
  }
}
