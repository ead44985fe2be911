import type { DirectoryStore, StoredInvite } from "@sotto/directory";
import { inviteKeys, sha256Hex } from "@sotto/identity";

const metaName = "owner-invite";
/** Who made it: nobody, the server has no users yet. */
const nobody = "";

/**
 * The invite of a server without an owner: made once, shown at every start until it was used. Its secret is
 * kept only so long; the server is nobody's yet, so there is nothing that it could open. Replicas that start
 * at the same time may each make one; whichever is used first makes the owner, and the others are void.
 */
export async function ownerInviteSecret(
  store: DirectoryStore,
  directorySize: number,
  nowMs: number,
): Promise<Uint8Array | undefined> {
  if (directorySize > 0) {
    await forgetOwnerInvites(store);
    return undefined;
  }
  const kept = await store.getMeta(metaName);
  if (kept?.length === 32) return kept;
  const secret = await newOwnerInvite(store, nowMs);
  await store.putMeta(metaName, secret);
  return secret;
}

/** Keeps another invite that makes the owner, and answers its secret, which is kept nowhere. */
export async function newOwnerInvite(store: DirectoryStore, nowMs: number): Promise<Uint8Array> {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const { serverToken } = await inviteKeys(secret);
  await store.putInvite({
    tokenHash: await sha256Hex(serverToken),
    createdBy: nobody,
    createdAt: nowMs,
    expiresAt: 0,
    usesLeft: 1,
    grants: new Uint8Array(),
  });
  return secret;
}

/** True for an invite that makes the owner, and so is good on an empty directory only. */
export function makesOwner(invite: StoredInvite): boolean {
  return invite.createdBy === nobody;
}

/** Forgets the secret, and every invite that would make an owner. */
export async function forgetOwnerInvites(store: DirectoryStore): Promise<void> {
  const kept = await store.getMeta(metaName);
  if (kept && kept.length > 0) await store.putMeta(metaName, new Uint8Array());
  for (const invite of await store.listInvites())
    if (makesOwner(invite)) await store.deleteInvite(invite.tokenHash);
}
