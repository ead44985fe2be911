import type { DirectoryStore } from "@sotto/directory";
import { inviteKeys, sha256Hex } from "@sotto/identity";

const metaName = "owner-invite";

/**
 * The invite of a server without an owner: made once, shown at every start until it was used. Its secret is
 * kept only so long; the server is nobody's yet, so there is nothing that it could open.
 */
export async function ownerInviteSecret(
  store: DirectoryStore,
  directorySize: number,
  nowMs: number,
): Promise<Uint8Array | undefined> {
  const kept = await store.getMeta(metaName);
  if (directorySize > 0) {
    if (kept && kept.length > 0) await store.putMeta(metaName, new Uint8Array());
    return undefined;
  }
  if (kept?.length === 32) return kept;
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const { serverToken } = await inviteKeys(secret);
  await store.putInvite({
    tokenHash: await sha256Hex(serverToken),
    createdBy: "",
    createdAt: nowMs,
    expiresAt: 0,
    usesLeft: 1,
    grants: new Uint8Array(),
  });
  await store.putMeta(metaName, secret);
  return secret;
}
