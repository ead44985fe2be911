/** A timer that can be called off. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as a parameter, so that a whole system can run from a test's hand.
 * `now` is wall time in milliseconds since the Unix epoch and may jump;
 * `monotonic` is milliseconds since an arbitrary start and never goes back.
 * Measure durations and time-outs with `monotonic`, label records with `now`.
 */
export interface Clock {
  now(): number;
  monotonic(): number;
  /** Runs `fire` once, `delayMs` from now. Does not keep the process alive by itself. */
  after(delayMs: number, fire: () => void): Timer;
  /** Runs `fire` every `periodMs` until cancelled. Does not keep the process alive by itself. */
  every(periodMs: number, fire: () => void): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}
