import { decodeGrant } from "@sotto/identity";
import { parseRoomId } from "@sotto/protocol";
import type { Answer, Keyserver, Principal, RequestValue } from "./command.ts";

/** Bytes of grants in one answer; what is beyond it comes once others were used up. */
const answerBytesMax = 512 * 1024;

/** Grants of rooms that the caller is a member of, newest first. */
export async function listGrants(
  server: Keyserver,
  request: RequestValue<"listGrants">,
  caller: Principal,
): Promise<Answer> {
  const own = new Set((await server.rosters.of(caller.user)).map(({ room }) => room));
  const asked = new Set(
    request.rooms.map((room) => parseRoomId(room)).filter((room) => own.has(room)),
  );
  const grants: Uint8Array[] = [];
  let bytes = 0;
  for (const { grants: grant } of [...(await server.store.listInvites())].reverse()) {
    if (grant.length === 0 || !decodeGrant(grant)?.rooms.some((room) => asked.has(room))) continue;
    bytes += grant.length;
    if (bytes > answerBytesMax) break;
    grants.push(grant);
  }
  return { case: "grantList", value: { grants } };
}
