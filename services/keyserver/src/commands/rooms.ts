import { hasUser, isHiddenFrom, type Roster, rosterToMessage } from "@sotto/identity";
import { ErrorCode, fromHex, parseRoomId, SottoError, toSafeNumber } from "@sotto/protocol";
import { topicOf } from "../rosters.ts";
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
  const roster = await rosterFor(server, request.room, caller);
  return { case: "roster", value: rosterToMessage(roster) };
}

/**
 * A room's last handshake record, or the one at a sequence, for a device that may come in by an external commit: its
 * user has a device there that still stands.
 */
export async function getHandshake(
  server: Keyserver,
  request: RequestValue<"getHandshake">,
  caller: Principal,
): Promise<Answer> {
  const { room, foldedTo, devices } = await rosterFor(server, request.room, caller);
  const { directory } = server.state;
  const stands = [...devices.values()].some(
    ({ user, device }) => user === caller.user && directory.device(device)?.revokedAt === undefined,
  );
  if (!stands) throw notAMember();
  const sequence = toSafeNumber(request.sequence) || foldedTo;
  const [record] = await server.log.read({ topic: topicOf(room), after: sequence - 1, limit: 1 });
  if (request.sequence > 0n && (record?.sequence !== sequence || record.kind !== "h"))
    throw new SottoError(ErrorCode.BAD_REQUEST, "no handshake record of the room stands there");
  if (record?.sequence !== sequence)
    throw new SottoError(ErrorCode.UNAVAILABLE, "the room's log was set back meanwhile");
  return {
    case: "handshakeRecord",
    value: { sequence: BigInt(record.sequence), data: record.data },
  };
}

/** A room's roster as a member may see it. */
async function rosterFor(server: Keyserver, room: Uint8Array, caller: Principal): Promise<Roster> {
  const roster = await server.rosters.get(parseRoomId(room));
  // Whether two others talk is nobody's business: their conversation's id can be guessed.
  if (!roster || isHiddenFrom(roster, caller.user))
    throw new SottoError(ErrorCode.UNKNOWN_ROOM, "no such room");
  if (!hasUser(roster, caller.user)) throw notAMember();
  return roster;
}

function notAMember(): SottoError {
  return new SottoError(ErrorCode.NOT_A_MEMBER, "you are not in that room");
}
