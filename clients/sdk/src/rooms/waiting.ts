import { SottoClientError } from "../errors.ts";
import type { RoomContext } from "./room-context.ts";

/** Those who wait until something holds of a room. */
export class Waiting {
  readonly #context: Pick<RoomContext, "clock" | "signal">;
  readonly #checks = new Set<() => void>();

  constructor(context: Pick<RoomContext, "clock" | "signal">) {
    this.#context = context;
  }

  /** Something changed: everybody looks again. */
  wake(): void {
    for (const check of [...this.#checks]) check();
  }

  /**
   * Resolves when `holds` answers true; asked now, and at every `wake`. Rejects with NOT_REACHABLE after `timeoutMs`,
   * with CLOSED when the client is closed.
   */
  async until(holds: () => boolean, timeoutMs: number): Promise<void> {
    const { clock, signal } = this.#context;
    if (holds()) return;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const settle = (finish: () => void) => {
        this.#checks.delete(check);
        timer.cancel();
        signal.removeEventListener("abort", abort);
        finish();
      };
      const check = () => {
        if (holds()) settle(resolve);
      };
      const abort = () => settle(() => reject(signal.reason));
      const timer = clock.after(timeoutMs, () =>
        settle(() =>
          reject(new SottoClientError("NOT_REACHABLE", "the server did not answer in time")),
        ),
      );
      signal.addEventListener("abort", abort, { once: true });
      this.#checks.add(check);
    });
  }
}
