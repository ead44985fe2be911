import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DirectoryStore } from "@sotto/directory";
import {
  decodeEnvelope,
  foldRoster,
  hasUser,
  type Roster,
  rosterFromMessage,
  rosterToMessage,
  sha256Hex,
  usersOf,
} from "@sotto/identity";
import { type Log, parseTopic, type Topic } from "@sotto/log";
import { parseRoomId, type RoomId, RosterSchema, type UserId } from "@sotto/protocol";
import type { KeyserverLimits } from "./keyserver-limits.ts";

const pageRecords = 512;

/** The log's topic of a room. */
export function topicOf(room: RoomId): Topic {
  return parseTopic(room);
}

/**
 * The rosters of all rooms: the fold of their handshake records, cached in the store. The log is the truth:
 * a roster is compared with the log's head before it is given, so one that a crash left behind is folded on.
 */
export class Rosters {
  readonly #log: Log;
  readonly #store: DirectoryStore;
  readonly #limits: KeyserverLimits;
  readonly #unreadable: (error: unknown) => void;
  readonly #cache = new Map<RoomId, Roster>();
  /** Rooms whose newest fold the store did not take: it does not list them for everybody in them. */
  readonly #unsaved = new Set<RoomId>();

  constructor(
    log: Log,
    store: DirectoryStore,
    limits: KeyserverLimits,
    unreadable: (error: unknown) => void = () => {},
  ) {
    this.#unreadable = unreadable;
    this.#log = log;
    this.#store = store;
    this.#limits = limits;
  }

  /** Folds what earlier lives left unfolded, so that the store lists every room for everybody in it. */
  async refoldAll(): Promise<void> {
    for await (const topic of this.#log.topics()) {
      if (topic.length === 32 || topic.length === 64) await this.get(parseRoomId(topic));
    }
  }

  /** The room's roster as of its last handshake record; `undefined` where there is no such room. */
  async get(room: RoomId): Promise<Roster | undefined> {
    // Before the head is read: a fold that is newer than the head is then one of another log.
    const known = this.#cache.get(room) ?? (await this.#stored(room));
    const { handshake } = await this.#log.head(topicOf(room));
    if (known && known.foldedTo === handshake) {
      if (!this.#unsaved.has(room)) return this.#keep(known);
      await this.put(known);
      return known;
    }
    const before = known && known.foldedTo < handshake ? known : undefined;
    if (known && !before) await this.#forget(room);
    if (handshake === 0) return undefined;
    const roster = await this.#fold(room, before, handshake);
    if (roster && roster !== before) await this.put(roster);
    return roster;
  }

  /** Keeps a newer fold. Where the store does not take it, it is tried again with the next look at the rosters. */
  async put(roster: Roster): Promise<void> {
    this.#keep(roster);
    this.#unsaved.add(roster.room);
    await this.#store.putRoster({
      room: roster.room,
      foldedTo: roster.foldedTo,
      bytes: toBinary(RosterSchema, rosterToMessage(roster)),
      users: [...usersOf(roster)],
    });
    this.#unsaved.delete(roster.room);
  }

  /** Rosters of every room that the user is in. */
  async of(user: UserId): Promise<Roster[]> {
    for (const room of [...this.#unsaved]) await this.get(room);
    const rooms = await this.#store.roomsOf(user);
    const rosters: Roster[] = [];
    for (let at = 0; at < rooms.length; at += this.#limits.rostersAtOnceMax) {
      const some = rooms.slice(at, at + this.#limits.rostersAtOnceMax);
      const found = await Promise.all(some.map((room) => this.get(parseRoomId(room))));
      for (const roster of found) if (roster && hasUser(roster, user)) rosters.push(roster);
    }
    return rosters;
  }

  async #fold(
    room: RoomId,
    before: Roster | undefined,
    handshake: number,
  ): Promise<Roster | undefined> {
    let roster = before;
    for (let after = before?.foldedTo ?? 0; after < handshake; ) {
      const page = await this.#log.read({ topic: topicOf(room), after, limit: pageRecords });
      for (const { sequence, kind, data } of page) {
        after = sequence;
        if (kind === "h") roster = await this.#foldOne(roster, sequence, data);
      }
      if (page.length === 0) break;
    }
    return roster;
  }

  /** A record that no keyserver wrote is told and passed over: it must not take its room, or all of them, away. */
  async #foldOne(
    roster: Roster | undefined,
    sequence: number,
    data: Uint8Array,
  ): Promise<Roster | undefined> {
    try {
      return foldRoster(roster, decodeEnvelope(data), sequence, await sha256Hex(data));
    } catch (error) {
      this.#unreadable(error);
      return roster && { ...roster, foldedTo: sequence };
    }
  }

  /** The store holds the fold of a log that is not there any more (set back, or the room was removed). */
  async #forget(room: RoomId): Promise<void> {
    this.#cache.delete(room);
    this.#unsaved.delete(room);
    await this.#store.deleteRoster(room);
  }

  async #stored(room: RoomId): Promise<Roster | undefined> {
    const stored = await this.#store.getRoster(room);
    if (!stored) return undefined;
    try {
      return rosterFromMessage(fromBinary(RosterSchema, stored.bytes));
    } catch {
      // A cache that cannot be read holds nothing that the log does not.
      await this.#forget(room);
      return undefined;
    }
  }

  #keep(roster: Roster): Roster {
    this.#cache.delete(roster.room);
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size < this.#limits.rostersCachedMax) break;
      this.#cache.delete(oldest);
    }
    this.#cache.set(roster.room, roster);
    return roster;
  }
}
