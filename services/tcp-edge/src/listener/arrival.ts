import type { Clock, Timer } from "@sotto/clock";

/**
 * A connection that is not logged in yet: one deadline covers its PROXY header, TLS handshake and
 * login, and it counts against its address until one of them ends.
 */
export class Arrival {
  readonly address: string;
  /** Of the certificate that its handshake shows. */
  readonly spkiSha256: Uint8Array;
  readonly #deadline: Timer;
  readonly #release: () => void;
  /** Takes one of the requests that its address may make without a login: ms to wait, or 0. */
  readonly takeRequest: () => number;
  #expired: () => void;

  constructor(options: {
    readonly address: string;
    readonly spkiSha256: Uint8Array;
    readonly deadline: (expired: () => void) => Timer;
    readonly release: () => void;
    readonly takeRequest: () => number;
    /** What to do at the deadline, until `whenExpired` says better. */
    readonly expired: () => void;
  }) {
    this.address = options.address;
    this.spkiSha256 = options.spkiSha256;
    this.#release = options.release;
    this.takeRequest = options.takeRequest;
    this.#expired = options.expired;
    this.#deadline = options.deadline(() => this.#expired());
  }

  /** Replaces what happens at the deadline. */
  whenExpired(expired: () => void): void {
    this.#expired = expired;
  }

  /** The connection logged in or ended: no deadline any more, and the address is relieved. Idempotent. */
  settle(): void {
    this.#deadline.cancel();
    this.#release();
  }
}

/** The deadline of a connection accepted now. */
export function loginDeadline(clock: Clock, timeoutMs: number): (expired: () => void) => Timer {
  const startedMs = clock.monotonic();
  return (expired) =>
    clock.after(Math.max(0, timeoutMs - (clock.monotonic() - startedMs)), expired);
}
