import { systemClock } from "@sotto/clock";
import {
  type Bus,
  BusError,
  type BusMessage,
  type BusSubscription,
  busMessageBytesMax,
  type ServeOptions,
  type SubscribeOptions,
} from "./bus.ts";
import { Pending } from "./pending.ts";
import { callError, ServedCalls } from "./served-calls.ts";
import { checkPattern, checkSize, checkSubject, matches } from "./subject.ts";

export interface InProcessBusOptions {
  /** Told of every handler that threw. */
  readonly onError?: (error: unknown) => void;
}

interface Subscriber {
  readonly pattern: readonly string[];
  readonly queue: string | undefined;
  readonly pending: Pending<BusMessage>;
}

interface Responder {
  readonly calls: ServedCalls;
}

/**
 * The bus within one process, as inconvenient as one between processes: it copies, delivers in a later
 * turn, and drops over its bound.
 */
export function createInProcessBus(options: InProcessBusOptions = {}): Bus {
  return new InProcessBus(options.onError ?? (() => {}));
}

class InProcessBus implements Bus {
  readonly #onError: (error: unknown) => void;
  readonly #subscribers = new Set<Subscriber>();
  readonly #responders = new Map<string, Responder[]>();
  #turn = 0;
  #closed = false;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get connected(): boolean {
    return !this.#closed;
  }

  publish(subject: string, data: Uint8Array): void {
    this.#check(subject, data);
    const tokens = subject.split(".");
    const groups = new Map<string, Subscriber[]>();
    for (const subscriber of this.#subscribers) {
      if (!matches(subscriber.pattern, tokens)) continue;
      if (subscriber.queue === undefined) subscriber.pending.push({ subject, data: data.slice() });
      else groups.set(subscriber.queue, [...(groups.get(subscriber.queue) ?? []), subscriber]);
    }
    for (const members of groups.values()) {
      members[this.#turn++ % members.length]?.pending.push({ subject, data: data.slice() });
    }
  }

  async subscribe(
    subject: string,
    handler: (message: BusMessage) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Promise<BusSubscription> {
    checkPattern(subject);
    this.#checkOpen();
    const pending = new Pending(handler, options, this.#onError);
    const subscriber: Subscriber = { pattern: subject.split("."), queue: options.queue, pending };
    this.#subscribers.add(subscriber);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#subscribers.delete(subscriber);
        pending.close();
      },
    };
  }

  async request(
    subject: string,
    data: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array> {
    this.#check(subject, data);
    options.signal?.throwIfAborted();
    const responders = this.#responders.get(subject) ?? [];
    const responder = responders[this.#turn++ % Math.max(1, responders.length)];
    if (!responder) throw new BusError("NO_RESPONDERS", `nobody serves ${subject}`);
    const message = { subject, data: data.slice() };
    return await new Promise<Uint8Array>((resolve, reject) => {
      const timer = systemClock.after(options.timeoutMs, () => {
        settle(() =>
          reject(new BusError("TIMEOUT", `no answer from ${subject} in ${options.timeoutMs} ms`)),
        );
      });
      const abort = () => settle(() => reject(options.signal?.reason));
      const settle = (finish: () => void) => {
        timer.cancel();
        options.signal?.removeEventListener("abort", abort);
        finish();
      };
      options.signal?.addEventListener("abort", abort, { once: true });
      setImmediate(async () => {
        const outcome = await responder.calls.answer(message);
        settle(() =>
          outcome.ok ? resolve(outcome.data.slice()) : reject(callError(outcome.code)),
        );
      });
    });
  }

  async serve(
    subject: string,
    handler: (message: BusMessage) => Promise<Uint8Array>,
    options: ServeOptions,
  ): Promise<BusSubscription> {
    checkSubject(subject);
    this.#checkOpen();
    const responder: Responder = { calls: new ServedCalls(handler, options, this.#onError) };
    this.#responders.set(subject, [...(this.#responders.get(subject) ?? []), responder]);
    return {
      [Symbol.asyncDispose]: async () => {
        const others = (this.#responders.get(subject) ?? []).filter((other) => other !== responder);
        if (others.length > 0) this.#responders.set(subject, others);
        else this.#responders.delete(subject);
        responder.calls.close();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { pending } of this.#subscribers) pending.close();
    this.#subscribers.clear();
    for (const { calls } of [...this.#responders.values()].flat()) calls.close();
    this.#responders.clear();
  }

  #check(subject: string, data: Uint8Array): void {
    checkSubject(subject);
    checkSize(data, busMessageBytesMax);
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#closed) throw new BusError("UNAVAILABLE", "the bus is closed");
  }
}
