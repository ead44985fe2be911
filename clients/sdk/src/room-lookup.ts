import { parseRoomId, type UserId } from "@sotto/protocol";
import { SottoClientError } from "./errors.ts";
import type { Room } from "./rooms/room.ts";
import type { Rooms } from "./rooms/rooms.ts";

/** So many hex digits of an id are enough, where no other id begins with them. */
const prefix = /^[0-9a-f]{4,63}$/;
const shownDigits = 8;

/** True for the beginning of an id that is long enough to stand for it. */
export function isIdPrefix(text: string): boolean {
  return prefix.test(text);
}

/** What people call rooms and each other. */
export interface Names {
  room(room: Room): string;
  person(user: UserId): string;
}

/**
 * The one room that a name, an id or the beginning of an id stands for; of those that this device has left only where
 * there is no other. Never a guess: whoever may make rooms may name them as others are named. Throws UNKNOWN_ROOM,
 * AMBIGUOUS_ROOM.
 */
export function findRoom(rooms: Rooms, nameOrId: string, names: Names): Room {
  if (/^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(nameOrId)) {
    const room = rooms.get(parseRoomId(nameOrId));
    if (room) return room;
  }
  const begins = isIdPrefix(nameOrId);
  const matches = rooms
    .all()
    .filter((room) => names.room(room) === nameOrId || (begins && idOf(room).startsWith(nameOrId)));
  const present = matches.filter((room) => rooms.phaseOf(room) !== "left");
  const candidates = present.length > 0 ? present : matches;
  const [room] = candidates;
  if (!room)
    throw new SottoClientError("UNKNOWN_ROOM", `this device is in no room called ${nameOrId}`);
  if (candidates.length > 1) throw ambiguous(nameOrId, candidates, names);
  return room;
}

/**
 * The room that invites let into where none is named: `general`. Where several are called so, the one that the
 * server's owner made, as its first record says, else the only one that the owner is an admin of. Throws as `findRoom`.
 */
export function findGeneral(rooms: Rooms, owner: UserId | undefined, names: Names): Room {
  try {
    return findRoom(rooms, "general", names);
  } catch (error) {
    if (!(error instanceof SottoClientError) || error.code !== "AMBIGUOUS_ROOM") throw error;
    const present = rooms
      .all()
      .filter((room) => names.room(room) === "general" && rooms.phaseOf(room) === "active");
    const rosterOf = (room: Room) => room.replica.state.roster;
    const made = present.filter((room) =>
      [...(rosterOf(room)?.devices.values() ?? [])].some(
        ({ user, entered }) => user === owner && entered === 1,
      ),
    );
    const led = present.filter((room) => owner && rosterOf(room)?.admins.includes(owner));
    const [room] = [made, led].find(({ length }) => length === 1) ?? [];
    if (!room) throw error;
    return room;
  }
}

function idOf(room: Room): string {
  return room.replica.room;
}

function ambiguous(name: string, candidates: readonly Room[], names: Names): SottoClientError {
  let digits = shownDigits;
  const short = (room: Room) => idOf(room).slice(0, digits);
  while (digits < 64 && new Set(candidates.map(short)).size < candidates.length) digits++;
  const lines = candidates.map((room) => {
    const users = new Set(room.replica.group?.members().map(({ user }) => user as UserId));
    const members = [...users].map((user) => names.person(user)).sort();
    const called = names.room(room);
    return `  ${short(room)}  ${called === name ? "" : `${called}: `}${members.join(", ")}`;
  });
  return new SottoClientError(
    "AMBIGUOUS_ROOM",
    [`several rooms are called ${name}; say which by its id:`, ...lines].join("\n"),
  );
}
