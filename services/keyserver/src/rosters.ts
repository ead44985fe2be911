import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DirectoryStore } from "@sotto/directory";
import {
  decodeEnvelope,
  foldRoster,
  type Roster,
  rosterFromMessage,
  rosterToMessage,
  sha256Hex,
  usersOf,
} from "@sotto/identity";
import { type Log, parseTopic, type Topic } from "@sotto/log";
import { parseRoomId, type RoomId, RosterSchema, type UserId } from "@sotto/protocol";

const pageRecords = 512;
/** Rosters kept in memory; the one used longest ago goes first, and is read from the store again. */
const cachedRostersMax = 2000;

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
  readonly #cache = new Map<RoomId, Roster>();

  constructor(log: Log, store: DirectoryStore) {
    this.#log = log;
    this.#store = store;
  }

  /** Folds what earlier lives left unfolded, so that `roomsOf` knows everybody. */
  async refoldAll(): Promise<void> {
    for await (const topic of this.#log.topics()) {
      if (topic.length === 32 || topic.length === 64) await this.get(parseRoomId(topic));
    }
  }

  /** The room's roster as of its last handshake record; `undefined` where there is no such room. */
  async get(room: RoomId): Promise<Roster | undefined> {
    const { handshake } = await this.#log.head(topicOf(room));
    if (handshake === 0) return undefined;
    let roster = this.#cache.get(room) ?? (await this.#stored(room));
    if (roster && roster.foldedTo >= handshake) return this.#keep(roster);
    for (let after = roster?.foldedTo ?? 0; ; ) {
      const page = await this.#log.read({ topic: topicOf(room), after, limit: pageRecords });
      for (const record of page) {
        after = record.sequence;
        if (record.kind !== "h") continue;
        roster = foldRoster(
          roster,
          decodeEnvelope(record.data),
          record.sequence,
          await sha256Hex(record.data),
        );
      }
      if (page.length === 0 || after >= handshake) break;
    }
    if (roster) await this.put(roster);
    return roster;
  }

  /** Keeps a newer fold. */
  async put(roster: Roster): Promise<void> {
    const bytes = toBinary(RosterSchema, rosterToMessage(roster));
    await this.#store.putRoster({
      room: roster.room,
      foldedTo: roster.foldedTo,
      bytes,
      users: [...usersOf(roster)],
    });
    this.#keep(roster);
  }

  /** Rosters of every room that the user is in. */
  async of(user: UserId): Promise<Roster[]> {
    const rosters: Roster[] = [];
    for (const room of await this.#store.roomsOf(user)) {
      const roster = await this.get(parseRoomId(room));
      if (roster && usersOf(roster).has(user)) rosters.push(roster);
    }
    return rosters;
  }

  async #stored(room: RoomId): Promise<Roster | undefined> {
    const stored = await this.#store.getRoster(room);
    return stored && rosterFromMessage(fromBinary(RosterSchema, stored.bytes));
  }

  #keep(roster: Roster): Roster {
    const known = this.#cache.get(roster.room);
    if (known && known.foldedTo > roster.foldedTo) return known;
    this.#cache.delete(roster.room);
    if (this.#cache.size >= cachedRostersMax)
      this.#cache.delete(this.#cache.keys().next().value as RoomId);
    this.#cache.set(roster.room, roster);
    return roster;
  }
}
