import type { DeviceId } from "@sotto/protocol";
import { TokenBucket } from "../token-bucket.ts";

/**
 * How often each device may do one thing, whatever connection it comes by. A device's bucket outlives
 * its connections until it is full, so that a new login does not fill it.
 */
export class DeviceRates {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #buckets = new Map<DeviceId, TokenBucket>();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
  }

  /** Devices whose buckets are kept. */
  get size(): number {
    return this.#buckets.size;
  }

  /** A device is here. */
  add(device: DeviceId, atMs: number): void {
    if (this.#buckets.has(device)) return;
    this.#buckets.set(device, new TokenBucket(this.#burst, this.#perSecond, atMs));
  }

  /** Milliseconds until the device may again; 0, and one taken, where it may now. */
  take(device: DeviceId, atMs: number): number {
    const bucket = this.#buckets.get(device);
    if (!bucket || bucket.take(atMs)) return 0;
    return bucket.waitMs(atMs);
  }

  /** Forgets the full buckets of devices that are gone. */
  sweep(atMs: number, isHere: (device: DeviceId) => boolean): void {
    for (const [device, bucket] of this.#buckets) {
      if (!isHere(device) && bucket.isFull(atMs)) this.#buckets.delete(device);
    }
  }
}
