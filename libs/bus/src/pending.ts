import type { SubscribeOptions } from "./bus.ts";

export const pendingMaxDefault = 4096;

/** Hands messages to a handler one at a time, in order; over its bound the newest are dropped and counted. */
export class Pending<Message> {
  readonly #handle: (message: Message) => void | Promise<void>;
  readonly #failed: (error: unknown) => void;
  readonly #options: SubscribeOptions;
  readonly #queue: Message[] = [];
  #running = false;
  #dropped = 0;
  #closed = false;

  constructor(
    handle: (message: Message) => void | Promise<void>,
    options: SubscribeOptions,
    failed: (error: unknown) => void,
  ) {
    this.#handle = handle;
    this.#options = options;
    this.#failed = failed;
  }

  push(message: Message): void {
    if (this.#closed) return;
    if (this.#queue.length >= (this.#options.pendingMax ?? pendingMaxDefault)) {
      if (this.#dropped++ === 0) queueMicrotask(() => this.#tellDropped());
      return;
    }
    this.#queue.push(message);
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => void this.#run());
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
  }

  async #run(): Promise<void> {
    for (
      let message = this.#queue.shift();
      message !== undefined && !this.#closed;
      message = this.#queue.shift()
    ) {
      try {
        const handled = this.#handle(message);
        if (handled) await handled;
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#running = false;
  }

  #tellDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#options.onDropped?.(dropped);
  }
}
