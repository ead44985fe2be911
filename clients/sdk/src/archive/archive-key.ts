import type { DirectoryDevice } from "@sotto/identity";
import { openSealed, sealTo } from "@sotto/mls";
import { type DeviceId, fromHex, toHex, type UserId } from "@sotto/protocol";
import type { ArchiveBatch, SealedKey } from "@sotto/protocol/devices";
import { randomBytes, sha256, utf8 } from "../bytes.ts";
import type { ArchiveIdentity } from "./archive-identity.ts";

/** Names a key: the first 16 bytes of its SHA-256, hex. */
export type ArchiveKeyId = string;

const keyBytes = 32;
const idBytes = 16;
const nonceBytes = 12;

/** What a batch has beside what is in it: nonce, tag, names, signature and their framing. */
export const batchOverheadBytes = 512;

/** A new key. */
export async function newArchiveKey(): Promise<{ id: ArchiveKeyId; key: Uint8Array }> {
  const key = randomBytes(keyBytes);
  return { id: await archiveKeyId(key), key };
}

export async function archiveKeyId(key: Uint8Array): Promise<ArchiveKeyId> {
  return toHex((await sha256(key)).subarray(0, idBytes));
}

function purpose(user: UserId, id: ArchiveKeyId): string {
  return `archive-key/${user}/${id}`;
}

/** The key, sealed to a device of its user. */
export async function sealArchiveKey(
  user: UserId,
  id: ArchiveKeyId,
  key: Uint8Array,
  to: DirectoryDevice,
): Promise<{ device: Uint8Array; sealed: Uint8Array }> {
  const sealed = await sealTo(to.keys.seal, purpose(user, id), key);
  return { device: fromHex(to.id), sealed };
}

/** The key that was sealed to this device; `undefined` where it is not the one that it is called. */
export async function openArchiveKey(
  { user, device, sealKey }: ArchiveIdentity,
  id: ArchiveKeyId,
  sealed: readonly SealedKey[],
): Promise<Uint8Array | undefined> {
  const own = sealed.find((one) => (toHex(one.device) as DeviceId) === device);
  if (!own) return undefined;
  try {
    const key = await openSealed(sealKey, purpose(user, id), own.sealed);
    return key.length === keyBytes && (await archiveKeyId(key)) === id ? key : undefined;
  } catch {
    return undefined;
  }
}

function additionalData(user: UserId, id: ArchiveKeyId): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...utf8("sotto-archive-batch-v1\0"), ...fromHex(user), ...fromHex(id)]);
}

/** Seals encoded history under a key of the archive. */
export async function sealBatch(
  user: UserId,
  id: ArchiveKeyId,
  key: Uint8Array,
  plaintext: Uint8Array,
): Promise<{ keyId: Uint8Array; nonce: Uint8Array; ciphertext: Uint8Array }> {
  const iv = randomBytes(nonceBytes);
  const ciphertext = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv, additionalData: additionalData(user, id) },
    await imported(key, "encrypt"),
    plaintext as Uint8Array<ArrayBuffer>,
  );
  return { keyId: fromHex(id), nonce: iv, ciphertext: new Uint8Array(ciphertext) };
}

/** The encoded history in a batch; `undefined` where it was not sealed under this key. */
export async function openBatch(
  user: UserId,
  key: Uint8Array,
  { keyId, nonce, ciphertext }: ArchiveBatch,
): Promise<Uint8Array | undefined> {
  if (nonce.length !== nonceBytes) return undefined;
  const iv = nonce as Uint8Array<ArrayBuffer>;
  try {
    const plaintext = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv, additionalData: additionalData(user, toHex(keyId)) },
      await imported(key, "decrypt"),
      ciphertext as Uint8Array<ArrayBuffer>,
    );
    return new Uint8Array(plaintext);
  } catch {
    return undefined;
  }
}

async function imported(key: Uint8Array, use: "encrypt" | "decrypt") {
  const bytes = key as Uint8Array<ArrayBuffer>;
  return await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, [use]);
}
