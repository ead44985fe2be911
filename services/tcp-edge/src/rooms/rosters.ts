import { hasUser, type Roster } from "@sotto/identity";
import type { DeviceId, RoomId, UserId } from "@sotto/protocol";
import type { ServiceCalls } from "../service-calls.ts";

/** A room's roster became another one. `before` is undefined where the room was not known here. */
export interface RosterChange {
  readonly room: RoomId;
  readonly before: Roster | undefined;
  readonly after: Roster;
}

export interface RostersOptions {
  readonly calls: Pick<ServiceCalls, "roster" | "rooms">;
  readonly changed: (change: RosterChange) => void;
}

interface RoomEntry {
  readonly roster: Roster;
  readonly users: ReadonlySet<UserId>;
}

/**
 * The rosters of all rooms of the users who are connected to this edge: who may read, write and
 * see whom. The newest fold wins, whether a live record, a hint or a confirmation brought it.
 * Rooms of users who left are forgotten.
 */
export class Rosters {
  readonly #options: RostersOptions;
  readonly #rooms = new Map<RoomId, RoomEntry>();
  readonly #roomsOfUser = new Map<UserId, Set<RoomId>>();
  /** Users connected here, with the load of their rooms. */
  readonly #local = new Map<UserId, Promise<void>>();
  /** Rooms that somebody reads here whoever is connected. */
  readonly #kept = new Set<RoomId>();
  readonly #refreshing = new Map<RoomId, Promise<Roster | undefined>>();

  constructor(options: RostersOptions) {
    this.#options = options;
  }

  get(room: RoomId): Roster | undefined {
    return this.#rooms.get(room)?.roster;
  }

  /** Rooms of a user, as far as somebody of them is connected here. */
  roomsOf(user: UserId): Iterable<RoomId> {
    return this.#roomsOfUser.get(user) ?? [];
  }

  usersOf(room: RoomId): ReadonlySet<UserId> {
    return this.#rooms.get(room)?.users ?? new Set();
  }

  /** Everybody who shares a room with `user`, without `user`. */
  companionsOf(user: UserId): Set<UserId> {
    const companions = new Set<UserId>();
    for (const room of this.roomsOf(user)) {
      for (const other of this.usersOf(room)) companions.add(other);
    }
    companions.delete(user);
    return companions;
  }

  /** True while the user is connected here or about to be. */
  isLocal(user: UserId): boolean {
    return this.#local.has(user);
  }

  /** A user connects: resolves when its rooms are known here. Rejects with `BusError`. */
  enter(user: UserId): Promise<void> {
    const known = this.#local.get(user);
    if (known) return known;
    const loading = this.#load(user);
    this.#local.set(user, loading);
    loading.catch(() => {
      if (this.#local.get(user) === loading) this.#local.delete(user);
    });
    return loading;
  }

  /** The last connection of a user is gone. */
  leave(user: UserId): void {
    this.#local.delete(user);
    for (const room of [...this.roomsOf(user)]) this.#forgetUnused(room);
  }

  /** Keeps a room's roster while its records are read here. */
  keep(room: RoomId): void {
    this.#kept.add(room);
  }

  release(room: RoomId): void {
    this.#kept.delete(room);
    this.#forgetUnused(room);
  }

  /** Takes a roster unless a newer one is here. */
  put(roster: Roster): void {
    this.#put(roster, true);
  }

  /** The keyserver's newest roster, asked for once however many want it. Undefined: no such room. */
  refresh(room: RoomId): Promise<Roster | undefined> {
    const running = this.#refreshing.get(room);
    if (running) return running;
    const refreshing = this.#refresh(room).finally(() => this.#refreshing.delete(room));
    this.#refreshing.set(room, refreshing);
    return refreshing;
  }

  /** Loads the rooms of everybody connected anew: what was missed shows as changes. */
  async reload(): Promise<void> {
    const known = [...this.#rooms.keys()];
    for (const user of [...this.#local.keys()]) {
      for (const roster of await this.#options.calls.rooms(user)) this.#put(roster, true);
    }
    for (const room of known) await this.refresh(room);
  }

  /** The device's roster entry, asking the keyserver where this edge does not see it as a member. */
  async member(room: RoomId, device: DeviceId): Promise<Roster | undefined> {
    const roster = this.get(room);
    if (roster?.devices.has(device)) return roster;
    const fresh = await this.refresh(room);
    return fresh?.devices.has(device) ? fresh : undefined;
  }

  /** As `member`, for any device of a user who has one in the room. */
  async memberUser(room: RoomId, user: UserId): Promise<Roster | undefined> {
    const known = this.#rooms.get(room);
    if (known?.users.has(user)) return known.roster;
    const fresh = await this.refresh(room);
    return fresh && hasUser(fresh, user) ? fresh : undefined;
  }

  async #load(user: UserId): Promise<void> {
    for (const roster of await this.#options.calls.rooms(user)) this.#put(roster, false);
  }

  async #refresh(room: RoomId): Promise<Roster | undefined> {
    const roster = await this.#options.calls.roster(room);
    if (!roster) return undefined;
    this.#put(roster, true);
    const newest = this.get(room);
    return newest && newest.foldedTo > roster.foldedTo ? newest : roster;
  }

  /** `announceNew`: a room that was not known here is a change too. */
  #put(roster: Roster, announceNew: boolean): void {
    const { room } = roster;
    const before = this.#rooms.get(room);
    if (before && before.roster.foldedTo >= roster.foldedTo) return;
    const users = new Set<UserId>();
    for (const member of roster.devices.values()) users.add(member.user);
    this.#rooms.set(room, { roster, users });
    for (const user of before?.users ?? []) {
      if (!users.has(user)) this.#unlink(user, room);
    }
    for (const user of users) this.#link(user, room);
    if (before || announceNew) {
      this.#options.changed({ room, before: before?.roster, after: roster });
    }
    this.#forgetUnused(room);
  }

  #forgetUnused(room: RoomId): void {
    const entry = this.#rooms.get(room);
    if (!entry || this.#kept.has(room)) return;
    for (const user of entry.users) if (this.#local.has(user)) return;
    this.#rooms.delete(room);
    for (const user of entry.users) this.#unlink(user, room);
  }

  #link(user: UserId, room: RoomId): void {
    const rooms = this.#roomsOfUser.get(user);
    if (rooms) rooms.add(room);
    else this.#roomsOfUser.set(user, new Set([room]));
  }

  #unlink(user: UserId, room: RoomId): void {
    const rooms = this.#roomsOfUser.get(user);
    rooms?.delete(room);
    if (rooms?.size === 0) this.#roomsOfUser.delete(user);
  }
}
