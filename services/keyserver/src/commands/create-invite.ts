import { hasUser, openGrant, type RoomGrant } from "@sotto/identity";
import { ErrorCode, limits, type RoomId, SottoError, toHex, toSafeNumber } from "@sotto/protocol";
import { announceGrants } from "../announce.ts";
import {
  type Answer,
  type Keyserver,
  type Principal,
  type RequestValue,
  spend,
} from "./command.ts";

/** Keeps an invite that the caller made. The server learns only the hash of half of its secret. */
export async function createInvite(
  server: Keyserver,
  request: RequestValue<"createInvite">,
  caller: Principal,
): Promise<Answer> {
  spend(server.budgets.invites, caller.user);
  await server.standing.refuseRecords();
  const expiresAt = checkForm(server, request);
  const grant = await readGrant(server, request.grant, caller);
  const tokenHash = toHex(request.tokenHash);
  if (await server.store.getInvite(tokenHash))
    throw new SottoError(ErrorCode.BAD_REQUEST, "that invite exists already");
  await forgetExpired(server);
  await server.store.putInvite({
    tokenHash,
    createdBy: caller.user,
    createdAt: server.clock.now(),
    expiresAt,
    usesLeft: request.uses,
    grants: request.grant,
  });
  if (grant) announceGrants(server, grant.rooms);
  return { case: "inviteCreated", value: { expiresAtMs: BigInt(expiresAt) } };
}

/** When the invite expires, wall time, ms; 0 never. */
function checkForm(server: Keyserver, request: RequestValue<"createInvite">): number {
  const { grantBytesMax } = server.limits;
  if (request.tokenHash.length !== 32)
    throw new SottoError(ErrorCode.BAD_REQUEST, "an invite has a token's SHA-256");
  if (request.grant.length > grantBytesMax)
    throw new SottoError(ErrorCode.TOO_LARGE, `a grant has at most ${grantBytesMax} bytes`);
  if (request.uses < 1 || request.uses > limits.inviteUsesMax)
    throw new SottoError(ErrorCode.BAD_REQUEST, `an invite has 1 to ${limits.inviteUsesMax} uses`);
  // One that has expired already is kept all the same: clocks differ, and Register says what is wrong.
  return toSafeNumber(request.expiresAtMs);
}

/**
 * The grant where the calling device signed it, for rooms that the caller is in. Clients judge it by the same rules;
 * what is refused here saves the inviter an invite that lets nobody into a room.
 */
async function readGrant(
  server: Keyserver,
  bytes: Uint8Array,
  caller: Principal,
): Promise<RoomGrant | undefined> {
  if (bytes.length === 0) return undefined;
  const grant = await openGrant(bytes, server.state.directory);
  if (!grant || grant.inviter.device !== caller.device || grant.inviter.user !== caller.user)
    throw new SottoError(ErrorCode.BAD_REQUEST, "the grant is not signed by the calling device");
  const { grantRoomsMax } = server.limits;
  if (grant.rooms.length > grantRoomsMax)
    throw new SottoError(ErrorCode.TOO_LARGE, `a grant names at most ${grantRoomsMax} rooms`);
  for (const room of grant.rooms) await checkGrantable(server, room, caller);
  return grant;
}

async function checkGrantable(server: Keyserver, room: RoomId, caller: Principal): Promise<void> {
  const roster = await server.rosters.get(room);
  if (!roster || !hasUser(roster, caller.user))
    throw new SottoError(ErrorCode.NOT_A_MEMBER, "you are not in a room that the invite grants");
  if (roster.direct.length > 0)
    throw new SottoError(ErrorCode.FORBIDDEN, "a direct conversation has two people");
}

/** Makes room for new invites. Throws `SottoError` RATE_LIMITED where all that are kept still stand. */
async function forgetExpired(server: Keyserver): Promise<void> {
  const invites = await server.store.listInvites();
  if (invites.length < limits.grantsMax) return;
  const oldest = server.clock.now() - server.limits.grantKeptAfterExpiryMs;
  let forgotten = 0;
  for (const { tokenHash, expiresAt } of invites) {
    if (expiresAt === 0 || expiresAt >= oldest) continue;
    await server.store.deleteInvite(tokenHash);
    forgotten++;
  }
  if (forgotten === 0)
    throw new SottoError(ErrorCode.RATE_LIMITED, "this server holds too many invites");
}
