import type { DeviceId, UserId } from "@sotto/protocol";
import type { EdgeLimits } from "../edge-limits.ts";
import type { Connection } from "./connection.ts";
import { DeviceRates } from "./device-rates.ts";

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
  readonly #appends: DeviceRates;
  readonly #signals: DeviceRates;
  #sweptMs = Number.NEGATIVE_INFINITY;

  constructor(limits: EdgeLimits) {
    this.#limits = limits;
    this.#appends = new DeviceRates(limits.appendBurst, limits.appendsPerSecond);
    this.#signals = new DeviceRates(limits.signalBurst, limits.signalsPerSecond);
  }

  /** Counts a connection to its device. False where the device has as many as it may have. */
  add(connection: Connection, user: UserId, device: DeviceId, atMs: number): boolean {
    this.#sweep(atMs);
    let entry = this.#devices.get(device);
    if (!entry) {
      this.#appends.add(device, atMs);
      this.#signals.add(device, atMs);
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
    return this.#appends.take(device, atMs);
  }

  /** The same for what its companions are told at once and nobody keeps. */
  takeSignal(device: DeviceId, atMs: number): number {
    return this.#signals.take(device, atMs);
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

  /** Buckets of appends that are kept: of the devices here, and of those gone since they last appended. */
  get bucketsKept(): number {
    return this.#appends.size;
  }

  /** The rates grow only by logins, as this runs. */
  #sweep(atMs: number): void {
    if (atMs - this.#sweptMs < sweepPeriodMs) return;
    this.#sweptMs = atMs;
    const isHere = (device: DeviceId) => this.#devices.has(device);
    this.#appends.sweep(atMs, isHere);
    this.#signals.sweep(atMs, isHere);
  }
}
