import { create, toBinary } from "@bufbuild/protobuf";
import { decodeGrant, type RoomGrant } from "@sotto/identity";
import { GrantsHintSchema, subjects } from "@sotto/interservice";
import { ErrorCode, fromHex, limits, SottoError, toHex, toSafeNumber } from "@sotto/protocol";
import {
  type Answer,
  type Keyserver,
  type Principal,
  type RequestValue,
  spend,
} from "./command.ts";

const grantBytesMax = 4096;

/** Keeps an invite that the caller made. The server learns only the hash of half of its secret. */
export async function createInvite(
  server: Keyserver,
  request: RequestValue<"createInvite">,
  caller: Principal,
): Promise<Answer> {
  spend(server, caller, "invites");
  const expiresAt = toSafeNumber(request.expiresAtMs);
  if (request.tokenHash.length !== 32 || request.grant.length > grantBytesMax) {
    throw new SottoError(
      ErrorCode.BAD_REQUEST,
      "an invite has a token's SHA-256, and a grant of at most 4 KiB",
    );
  }
  if (request.uses < 1 || request.uses > limits.inviteUsesMax) {
    throw new SottoError(ErrorCode.BAD_REQUEST, `an invite has 1 to ${limits.inviteUsesMax} uses`);
  }
  const grant = request.grant.length > 0 ? decodeGrant(request.grant) : undefined;
  if (request.grant.length > 0 && !isOwn(grant, caller)) {
    throw new SottoError(ErrorCode.BAD_REQUEST, "the grant is not the caller's");
  }
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
  if (grant) {
    const hint = create(GrantsHintSchema, { rooms: grant.rooms.map((room) => fromHex(room)) });
    server.bus.publish(subjects.hintGrants, toBinary(GrantsHintSchema, hint));
  }
  return { case: "inviteCreated", value: { expiresAtMs: BigInt(expiresAt) } };
}

function isOwn(grant: RoomGrant | undefined, caller: Principal): boolean {
  return grant?.inviter.device === caller.device && grant.inviter.user === caller.user;
}

/** A newcomer may wait for a member long after its invite expired: a grant is kept for a month more. */
const keptAfterExpiryMs = 30 * 24 * 3600 * 1000;

/** Makes room for new invites. Throws `SottoError` RATE_LIMITED where all that are kept still stand. */
async function forgetExpired(server: Keyserver): Promise<void> {
  const invites = await server.store.listInvites();
  if (invites.length < limits.grantsMax) return;
  const now = server.clock.now();
  let forgotten = 0;
  for (const { tokenHash, expiresAt } of invites) {
    if (expiresAt === 0 || expiresAt + keptAfterExpiryMs > now) continue;
    await server.store.deleteInvite(tokenHash);
    forgotten++;
  }
  if (forgotten === 0)
    throw new SottoError(ErrorCode.RATE_LIMITED, "this server holds too many invites");
}
