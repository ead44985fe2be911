import type { Clock, Timer } from "@sotto/clock";
import { TokenBucket } from "../token-bucket.ts";

export interface AddressLimitOptions {
  readonly clock: Clock;
  /** Connections of one address that are not logged in. */
  readonly beforeLoginMax: number;
  /** Connections that one address may begin: a bucket of this size ... */
  readonly burst: number;
  /** ... refilled at this rate a second. */
  readonly perSecond: number;
}

interface AddressState {
  readonly bucket: TokenBucket;
  beforeLogin: number;
}

const sweepPeriodMs = 10_000;

/**
 * What each address may do before anything was spent on it: a TLS handshake is the dearest thing
 * that a stranger can ask for. An address is forgotten when it has nothing open and its bucket is
 * full; IPv6 addresses count by their /64, because one host has as many of the rest as it likes.
 */
export class AddressLimits implements Disposable {
  readonly #options: AddressLimitOptions;
  readonly #addresses = new Map<string, AddressState>();
  readonly #sweeper: Timer;

  constructor(options: AddressLimitOptions) {
    this.#options = options;
    this.#sweeper = options.clock.every(sweepPeriodMs, () => this.#sweep());
  }

  /** Counts a new connection. The answer releases it, once, at login or at its end; undefined: refuse it. */
  enter(address: string): (() => void) | undefined {
    const atMs = this.#options.clock.monotonic();
    const key = networkOf(address);
    let state = this.#addresses.get(key);
    if (!state) {
      const bucket = new TokenBucket(this.#options.burst, this.#options.perSecond, atMs);
      state = { bucket, beforeLogin: 0 };
      this.#addresses.set(key, state);
    }
    if (state.beforeLogin >= this.#options.beforeLoginMax || !state.bucket.take(atMs)) {
      return undefined;
    }
    const entered = state;
    entered.beforeLogin += 1;
    let released = false;
    return () => {
      if (!released) entered.beforeLogin -= 1;
      released = true;
    };
  }

  [Symbol.dispose](): void {
    this.#sweeper.cancel();
  }

  #sweep(): void {
    const atMs = this.#options.clock.monotonic();
    for (const [key, state] of this.#addresses) {
      if (state.beforeLogin === 0 && state.bucket.isFull(atMs)) this.#addresses.delete(key);
    }
  }
}

function networkOf(address: string): string {
  const text = address.startsWith("::ffff:") ? address.slice(7) : address;
  if (!text.includes(":")) return text;
  const [head = "", tail] = text.split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  if (tail !== undefined) {
    while (groups.length + after.length < 8) groups.push("0");
  }
  return [...groups, ...after].slice(0, 4).join(":");
}
