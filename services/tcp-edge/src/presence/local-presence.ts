import { create, toBinary } from "@bufbuild/protobuf";
import { type Bus, BusError, type BusSubscription } from "@sotto/bus";
import type { Clock, Timer } from "@sotto/clock";
import { PresenceChangeSchema, PresenceLeaseSchema, subjects } from "@sotto/interservice";
import { fromHex, PresenceState, type UserId } from "@sotto/protocol";

export interface LocalPresenceOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  /** This edge's name among the edges. */
  readonly edge: string;
  /** Fresh at every start. */
  readonly incarnation: Uint8Array;
  readonly leasePeriodMs: number;
}

type ConnectionKey = object;

/**
 * Who is here, on this edge: a user is online while one of its connections that are not quiet is,
 * else idle while it has any. Says so to the presence service: every change at once, the whole
 * every `leasePeriodMs` and whenever it is asked for.
 */
export class LocalPresence implements AsyncDisposable {
  readonly #options: LocalPresenceOptions;
  readonly #users = new Map<UserId, Map<ConnectionKey, PresenceState>>();
  #version = 0n;
  #asked: BusSubscription | undefined;
  #leases: Timer | undefined;

  private constructor(options: LocalPresenceOptions) {
    this.#options = options;
  }

  static async start(options: LocalPresenceOptions): Promise<LocalPresence> {
    const presence = new LocalPresence(options);
    presence.#asked = await options.bus.subscribe(subjects.presenceAsk, () => presence.#lease());
    presence.#leases = options.clock.every(options.leasePeriodMs, () => presence.#lease());
    presence.#lease();
    return presence;
  }

  /** Users with at least one connection that is not quiet. */
  get size(): number {
    return this.#users.size;
  }

  /** What this edge alone knows of a user. */
  stateOf(user: UserId): PresenceState {
    const states = this.#users.get(user);
    if (!states) return PresenceState.OFFLINE;
    for (const state of states.values()) if (state === PresenceState.ONLINE) return state;
    return PresenceState.IDLE;
  }

  /** A connection that is not quiet is online or idle. */
  set(user: UserId, connection: ConnectionKey, state: PresenceState): void {
    const before = this.stateOf(user);
    const states = this.#users.get(user);
    if (states) states.set(connection, state);
    else this.#users.set(user, new Map([[connection, state]]));
    this.#tell(user, before);
  }

  /** A connection ended; nothing happens where it was quiet. */
  delete(user: UserId, connection: ConnectionKey): void {
    const before = this.stateOf(user);
    const states = this.#users.get(user);
    states?.delete(connection);
    if (states?.size === 0) this.#users.delete(user);
    this.#tell(user, before);
  }

  /** Says goodbye for everybody here. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#leases?.cancel();
    this.#users.clear();
    this.#version += 1n;
    this.#lease(true);
    await this.#asked?.[Symbol.asyncDispose]();
  }

  #tell(user: UserId, before: PresenceState): void {
    const state = this.stateOf(user);
    if (state === before) return;
    this.#version += 1n;
    const { edge, incarnation } = this.#options;
    const entry = { user: fromHex(user), state };
    const change = create(PresenceChangeSchema, {
      edge,
      incarnation,
      version: this.#version,
      entry,
    });
    this.#publish(subjects.presenceChange, toBinary(PresenceChangeSchema, change));
  }

  #lease(ended = false): void {
    const { edge, incarnation } = this.#options;
    const entries = [...this.#users.keys()].map((user) => ({
      user: fromHex(user),
      state: this.stateOf(user),
    }));
    const version = this.#version;
    const lease = create(PresenceLeaseSchema, { edge, incarnation, version, entries, ended });
    this.#publish(subjects.presenceLease, toBinary(PresenceLeaseSchema, lease));
  }

  #publish(subject: string, bytes: Uint8Array): void {
    try {
      this.#options.bus.publish(subject, bytes);
    } catch (error) {
      // What the bus does not take now, the next lease carries.
      if (!(error instanceof BusError)) throw error;
    }
  }
}
