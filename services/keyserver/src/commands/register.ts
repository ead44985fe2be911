import type { StoredInvite } from "@sotto/directory";
import { sha256Hex } from "@sotto/identity";
import { ErrorCode, SottoError, type UserId } from "@sotto/protocol";
import { announceRecord } from "../announce.ts";
import { type AppendedRecord, refused } from "../directory-state.ts";
import { forgetOwnerInvites, makesOwner } from "../owner-invite.ts";
import { parseSubmitted } from "../parse-submitted.ts";
import type { Answer, Keyserver, RequestValue } from "./command.ts";

/**
 * Begins an identity: one use of an invite for one user-create or identity-reset record, in one step. The invite is looked at
 * first, so that without one nobody makes the server verify signatures or learns which names are taken.
 */
export async function register(
  server: Keyserver,
  request: RequestValue<"register">,
): Promise<Answer> {
  const { record } = parseSubmitted(request.record);
  if (record.typ !== "user-create" && record.typ !== "identity-reset")
    throw new SottoError(
      ErrorCode.BAD_RECORD,
      "an identity begins with user-create or identity-reset",
    );
  const { index, fresh } = await append(server, request);
  if (fresh) server.events.recordAccepted(index);
  await announceRecord(server, index);
  if (index === 0) await forgetOwnerInvites(server.store);
  return { case: "registered", value: { index: BigInt(index) } };
}

async function append(
  server: Keyserver,
  { serverToken, record }: RequestValue<"register">,
): Promise<AppendedRecord> {
  const { store, state, clock } = server;
  const redeemInvite = await sha256Hex(serverToken);
  const invite = await store.getInvite(redeemInvite);
  const now = clock.now();
  const refusal =
    !invite || (await isVoid(server, invite))
      ? refused("INVITE_UNKNOWN")
      : invite.expiresAt !== 0 && invite.expiresAt < now
        ? refused("INVITE_EXPIRED")
        : invite.usesLeft <= 0
          ? refused("INVITE_USED")
          : undefined;
  if (invite && !refusal) {
    await server.standing.refuseRecords();
    const expectEmpty = makesOwner(invite);
    return await state.append(record, {
      redeemInvite,
      now,
      ...(expectEmpty ? { expectEmpty } : {}),
    });
  }
  // An answer that was lost is given again, though the invite is used up by now.
  await state.catchUp();
  const index = state.directory.indexOf(await sha256Hex(record));
  if (index === undefined) throw refusal;
  return { index, fresh: false };
}

/** An invite by somebody whom the operator switched off is as good as none. */
async function isVoid({ disabled }: Keyserver, { createdBy }: StoredInvite): Promise<boolean> {
  return (await disabled.all()).has(createdBy as UserId);
}
