import type { DeviceId, UserId } from "@sotto/protocol";
import type { EdgeLimits } from "../edge-limits.ts";
import { TokenBucket } from "../token-bucket.ts";
import type { Connection } from "./connection.ts";

interface ConnectedDevice {
  readonly user: UserId;
  readonly connections: Set<Connection>;
}

const sweepPeriodMs = 10_000;

/** Who is logged in on this edge, by device and by user. */
export class ConnectedDevices {
  readonly #limits: EdgeLimits;
  readonly #devices = new Map<DeviceId, ConnectedDevice>();
  readonly #users = new Map<UserId, Set<DeviceId>>();
  /**
   * What a device's appends are taken from, whatever connection they come by. A bucket outlives the
   * connections until it is full, so that a new login does not fill it.
   */
  readonly #appends = new Map<DeviceId, TokenBucket>();
  #sweptMs = Number.NEGATIVE_INFINITY;

  constructor(limits: EdgeLimits) {
    this.#limits = limits;
  }

  /** Counts a connection to its device. False where the device has as many as it may have. */
  add(connection: Connection, user: UserId, device: DeviceId, atMs: number): boolean {
    this.#sweep(atMs);
    let entry = this.#devices.get(device);
    if (!entry) {
      if (!this.#appends.has(device)) {
        const { appendBurst, appendsPerSecond } = this.#limits;
        this.#appends.set(device, new TokenBucket(appendBurst, appendsPerSecond, atMs));
      }
      entry = { user, connections: new Set() };
      this.#devices.set(device, entry);
    }
    if (entry.connections.size >= this.#limits.connectionsPerDeviceMax) return false;
    entry.connections.add(connection);
    const devices = this.#users.get(user);
    if (devices) devices.add(device);
    else this.#users.set(user, new Set([device]));
    return true;
  }

  /** Forgets a connection. True where it was its user's last one here. */
  delete(connection: Connection, user: UserId, device: DeviceId): boolean {
    const entry = this.#devices.get(device);
    if (!entry?.connections.delete(connection) || entry.connections.size > 0) return false;
    this.#devices.delete(device);
    const devices = this.#users.get(user);
    devices?.delete(device);
    if (devices?.size !== 0) return false;
    this.#users.delete(user);
    return true;
  }

  /** Milliseconds until the device may append again; 0, and one append taken, where it may now. */
  takeAppend(device: DeviceId, atMs: number): number {
    const appends = this.#appends.get(device);
    if (!appends || appends.take(atMs)) return 0;
    return appends.waitMs(atMs);
  }

  ofDevice(device: DeviceId): Iterable<Connection> {
    return this.#devices.get(device)?.connections ?? [];
  }

  *ofUser(user: UserId): Generator<Connection> {
    for (const device of this.#users.get(user) ?? []) yield* this.ofDevice(device);
  }

  users(): Iterable<UserId> {
    return this.#users.keys();
  }

  /** Buckets that are kept: of the devices here, and of those gone since they last appended. */
  get bucketsKept(): number {
    return this.#appends.size;
  }

  /** Forgets the full buckets of devices that are gone; the map grows only by logins, as this runs. */
  #sweep(atMs: number): void {
    if (atMs - this.#sweptMs < sweepPeriodMs) return;
    this.#sweptMs = atMs;
    for (const [device, bucket] of this.#appends) {
      if (!this.#devices.has(device) && bucket.isFull(atMs)) this.#appends.delete(device);
    }
  }
}
