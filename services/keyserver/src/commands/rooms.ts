import { hasUser, isHiddenFrom, rosterToMessage } from "@sotto/identity";
import { ErrorCode, fromHex, parseRoomId, SottoError } from "@sotto/protocol";
import type { Answer, Keyserver, Principal, RequestValue } from "./command.ts";

/** Rooms of the caller's user, and where the calling device was let in. */
export async function listRooms(server: Keyserver, caller: Principal): Promise<Answer> {
  const rooms = (await server.rosters.of(caller.user)).map((roster) => ({
    room: fromHex(roster.room),
    handshake: BigInt(roster.foldedTo),
    entered: BigInt(roster.devices.get(caller.device)?.entered ?? 0),
    direct: roster.direct.map((user) => fromHex(user)),
  }));
  return { case: "roomList", value: { rooms } };
}

/** Who is in a room, for those who are in it. */
export async function getRoster(
  server: Keyserver,
  request: RequestValue<"getRoster">,
  caller: Principal,
): Promise<Answer> {
  const roster = await server.rosters.get(parseRoomId(request.room));
  // Whether two others talk is nobody's business: their conversation's id can be guessed.
  if (!roster || isHiddenFrom(roster, caller.user))
    throw new SottoError(ErrorCode.UNKNOWN_ROOM, "no such room");
  if (!hasUser(roster, caller.user))
    throw new SottoError(ErrorCode.NOT_A_MEMBER, "you are not in that room");
  return { case: "roster", value: rosterToMessage(roster) };
}
