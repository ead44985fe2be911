import type { Clock, Timer } from "./clock.ts";

interface Alarm {
  at: number;
  order: number;
  fire: () => void;
}

/**
 * A clock that a test moves by hand. `advance` fires what falls due, in order of time
 * and then of creation, and lets promise callbacks run between two alarms.
 */
export class ManualClock implements Clock {
  #elapsedMs = 0;
  #order = 0;
  readonly #startMs: number;
  readonly #alarms = new Set<Alarm>();

  constructor(startMs = 1_700_000_000_000) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, fire: () => void): Timer {
    const alarm: Alarm = { at: this.#elapsedMs + delayMs, order: this.#order++, fire };
    this.#alarms.add(alarm);
    return { cancel: () => void this.#alarms.delete(alarm) };
  }

  every(periodMs: number, fire: () => void): Timer {
    let timer: Timer;
    const again = () => {
      timer = this.after(periodMs, again);
      fire();
    };
    timer = this.after(periodMs, again);
    return { cancel: () => timer.cancel() };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = this.after(delayMs, resolve);
      signal?.addEventListener("abort", () => {
        timer.cancel();
        reject(signal.reason);
      });
    });
  }

  /** Moves time forward by `ms`, firing every alarm that falls due on the way. */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsedMs + ms;
    for (;;) {
      await settle();
      const next = this.#earliest(target);
      if (!next) break;
      this.#alarms.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.at);
      next.fire();
    }
    this.#elapsedMs = target;
    await settle();
  }

  #earliest(target: number): Alarm | undefined {
    let best: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at > target) continue;
      if (!best || alarm.at < best.at || (alarm.at === best.at && alarm.order < best.order)) {
        best = alarm;
      }
    }
    return best;
  }
}

/** Lets every promise callback that is ready run, across a turn of the event loop. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
