import { type Bus, BusError, type BusMessage, type BusSubscription } from "@sotto/bus";

type Handler = (message: BusMessage) => void | Promise<void>;

/** A bus within one test: every message is delivered, later, as a copy. */
export class MemoryBus implements Bus {
  readonly connected = true;
  readonly #subscriptions = new Map<Handler, RegExp>();
  readonly #services = new Map<string, (message: BusMessage) => Promise<Uint8Array>>();

  publish(subject: string, data: Uint8Array): void {
    const copy = data.slice();
    setImmediate(() => {
      for (const [handler, pattern] of [...this.#subscriptions]) {
        if (pattern.test(subject)) void handler({ subject, data: copy });
      }
    });
  }

  async subscribe(subject: string, handler: Handler): Promise<BusSubscription> {
    const own: Handler = (message) => handler(message);
    const pattern = `^${subject.replaceAll(".", "\\.").replaceAll("*", "[^.]+")}$`;
    this.#subscriptions.set(own, new RegExp(pattern));
    return { [Symbol.asyncDispose]: async () => void this.#subscriptions.delete(own) };
  }

  async request(subject: string, data: Uint8Array): Promise<Uint8Array> {
    const service = this.#services.get(subject);
    if (!service) throw new BusError("NO_RESPONDERS", `nobody serves ${subject}`);
    const copy = data.slice();
    await new Promise((resolve) => setImmediate(resolve));
    return (await service({ subject, data: copy })).slice();
  }

  async serve(
    subject: string,
    handler: (message: BusMessage) => Promise<Uint8Array>,
  ): Promise<BusSubscription> {
    this.#services.set(subject, handler);
    return { [Symbol.asyncDispose]: async () => void this.#services.delete(subject) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscriptions.clear();
    this.#services.clear();
  }
}
