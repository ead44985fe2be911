import { BusError, type BusMessage, busMessageBytesMax, type ServeOptions } from "./bus.ts";

const concurrencyDefault = 64;
const pendingMaxDefault = 1024;

/** How a call ended: its answer, or why there is none. */
export type CallOutcome =
  | { readonly ok: true; readonly data: Uint8Array }
  | { readonly ok: false; readonly code: "BUSY" | "HANDLER_FAILED" };

/** Runs a service's handler for several calls at a time, with a bounded queue behind them. */
export class ServedCalls {
  readonly #handler: (message: BusMessage) => Promise<Uint8Array>;
  readonly #concurrency: number;
  readonly #pendingMax: number;
  readonly #failed: (error: unknown) => void;
  readonly #waiting: (() => void)[] = [];
  #active = 0;
  #closed = false;

  constructor(
    handler: (message: BusMessage) => Promise<Uint8Array>,
    options: ServeOptions,
    failed: (error: unknown) => void,
  ) {
    this.#handler = handler;
    this.#concurrency = options.concurrency ?? concurrencyDefault;
    this.#pendingMax = options.pendingMax ?? pendingMaxDefault;
    this.#failed = failed;
  }

  /** No handler starts any more: what waits is answered BUSY, so that it is asked of another. */
  close(): void {
    this.#closed = true;
  }

  async answer(message: BusMessage): Promise<CallOutcome> {
    if (this.#active >= this.#concurrency) {
      if (this.#waiting.length >= this.#pendingMax) return { ok: false, code: "BUSY" };
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#active++;
    try {
      if (this.#closed) return { ok: false, code: "BUSY" };
      const data = await this.#handler(message);
      if (data.length > busMessageBytesMax)
        throw new BusError(
          "TOO_LARGE",
          `an answer from ${message.subject} has ${data.length} bytes`,
        );
      return { ok: true, data };
    } catch (error) {
      this.#failed(error);
      return { ok: false, code: "HANDLER_FAILED" };
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#active--;
    }
  }
}

/** The error that a call without an answer rejects with. */
export function callError(code: "BUSY" | "HANDLER_FAILED"): BusError {
  return new BusError(
    code,
    code === "BUSY" ? "the service has too many calls waiting" : "the service failed",
  );
}
