import { hasUser } from "@sotto/identity";
import { ErrorCode, limits, parseRoomId, type RoomId, SottoError } from "@sotto/protocol";
import type { Answer, Keyserver, Principal, RequestValue } from "./command.ts";

/** Grants of those of the rooms that the caller is a member of, newest first. */
export async function listGrants(
  server: Keyserver,
  request: RequestValue<"listGrants">,
  caller: Principal,
): Promise<Answer> {
  if (request.rooms.length > limits.subscriptionsMax)
    throw new SottoError(ErrorCode.TOO_LARGE, `at most ${limits.subscriptionsMax} rooms at once`);
  const own = new Set<RoomId>();
  for (const room of request.rooms.map((id) => parseRoomId(id))) {
    const roster = await server.rosters.get(room);
    if (roster && hasUser(roster, caller.user)) own.add(room);
  }
  return { case: "grantList", value: { grants: await server.grants.naming(own) } };
}
