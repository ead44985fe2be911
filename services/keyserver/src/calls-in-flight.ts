import { refusalOf } from "./refusal.ts";

/** Calls that are being answered, so that nobody closes the ports under them. Bounded by the bus's concurrency. */
export class CallsInFlight {
  readonly #calls = new Set<Promise<unknown>>();

  /** The handler, counted while it runs; what it rejects with goes through the funnel. */
  counted<Call, Answer>(
    handler: (call: Call) => Promise<Answer>,
    onRefused?: (error: unknown) => void,
  ): (call: Call) => Promise<Answer> {
    return async (call) => {
      const running = handler(call);
      this.#calls.add(running);
      try {
        return await running;
      } catch (error) {
        const refusal = refusalOf(error);
        onRefused?.(refusal);
        throw refusal;
      } finally {
        this.#calls.delete(running);
      }
    };
  }

  /** Resolves when all that run now have ended. */
  async ended(): Promise<void> {
    await Promise.allSettled([...this.#calls]);
  }
}
