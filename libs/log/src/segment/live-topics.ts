import type { LiveSubscription, LogRecord, Topic } from "../log.ts";

type Deliver = (record: LogRecord) => void;

/** Who hears of new records, by topic. */
export class LiveTopics {
  readonly #subscribers = new Map<string, Set<{ readonly deliver: Deliver }>>();

  subscribe(topic: Topic, deliver: Deliver): LiveSubscription {
    const own = { deliver };
    const others = this.#subscribers.get(topic);
    if (others) others.add(own);
    else this.#subscribers.set(topic, new Set([own]));
    return {
      [Symbol.asyncDispose]: async () => {
        const subscribers = this.#subscribers.get(topic);
        subscribers?.delete(own);
        if (subscribers?.size === 0) this.#subscribers.delete(topic);
      },
    };
  }

  has(topic: string): boolean {
    return this.#subscribers.has(topic);
  }

  publish(record: LogRecord): void {
    for (const { deliver } of this.#subscribers.get(record.topic) ?? []) deliver(record);
  }

  clear(): void {
    this.#subscribers.clear();
  }
}
