import { directRoomId } from "@sotto/identity";
import type { RoomId, UserId } from "@sotto/protocol";
import { SottoClientError } from "../errors.ts";
import type { RoomContext } from "./room-context.ts";

/** True for the id of a direct conversation: 32 bytes, where other rooms' have 16. */
export function isDirectRoom(room: RoomId): boolean {
  return room.length === 64;
}

/**
 * The two people of a direct conversation of this user, sorted: its id is theirs. `undefined` for another room, and
 * where nobody's id fits. `users`: who may be the other one; the whole directory is looked through after them.
 */
export async function directPeople(
  { directory, profile }: RoomContext,
  room: RoomId,
  users: Iterable<UserId>,
): Promise<UserId[] | undefined> {
  if (!isDirectRoom(room)) return undefined;
  const own = profile.user;
  for (const peer of [...users, ...directory.directory.users().map(({ id }) => id)])
    if (peer !== own && (await directRoomId(own, peer)) === room) return [own, peer].sort();
  return undefined;
}

/** Throws SERVER_MISBEHAVED where `users` are in a direct conversation that is not theirs. */
export async function checkDirectPeople(
  context: RoomContext,
  room: RoomId,
  users: readonly UserId[],
): Promise<void> {
  if (!context.checks.roomAnchor || !isDirectRoom(room)) return;
  const people = await directPeople(context, room, users);
  if (!people || users.some((user) => !people.includes(user)))
    throw new SottoClientError(
      "SERVER_MISBEHAVED",
      "the server shows others in a direct conversation than its two people",
    );
}
