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
  /** Requests that one address may make without a login: a bucket of this size ... */
  readonly requestBurst: number;
  /** ... refilled at this rate a second. */
  readonly requestsPerSecond: number;
}

/** A connection that was counted to its address. */
export interface Entered {
  /** Relieves the address, at login or at the connection's end. Idempotent. */
  release(): void;
  /** Takes one of the address's requests: ms until that would succeed, 0 where it did. */
  takeRequest(): number;
}

interface AddressState {
  readonly bucket: TokenBucket;
  readonly requests: TokenBucket;
  beforeLogin: number;
}

const sweepPeriodMs = 10_000;

/**
 * What each address may do before anything was spent on it: a TLS handshake is the dearest thing
 * that a stranger can ask for. An address is forgotten when it has nothing open and its buckets are
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

  /** Counts a new connection; undefined: refuse it. */
  enter(address: string): Entered | undefined {
    const { clock, beforeLoginMax } = this.#options;
    const atMs = clock.monotonic();
    const state = this.#stateOf(networkOf(address), atMs);
    if (state.beforeLogin >= beforeLoginMax || !state.bucket.take(atMs)) return undefined;
    state.beforeLogin += 1;
    let released = false;
    return {
      release() {
        if (!released) state.beforeLogin -= 1;
        released = true;
      },
      takeRequest() {
        const now = clock.monotonic();
        return state.requests.take(now) ? 0 : state.requests.waitMs(now);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#sweeper.cancel();
  }

  #stateOf(key: string, atMs: number): AddressState {
    const known = this.#addresses.get(key);
    if (known) return known;
    const { burst, perSecond, requestBurst, requestsPerSecond } = this.#options;
    const state = {
      bucket: new TokenBucket(burst, perSecond, atMs),
      requests: new TokenBucket(requestBurst, requestsPerSecond, atMs),
      beforeLogin: 0,
    };
    this.#addresses.set(key, state);
    return state;
  }

  #sweep(): void {
    const atMs = this.#options.clock.monotonic();
    for (const [key, state] of this.#addresses) {
      const rested = state.bucket.isFull(atMs) && state.requests.isFull(atMs);
      if (state.beforeLogin === 0 && rested) this.#addresses.delete(key);
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
