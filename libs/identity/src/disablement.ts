import { create, toBinary } from "@bufbuild/protobuf";
import {
  DisablementSchema,
  disablementInput,
  type Envelope,
  fromHex,
  parseUserId,
  toHex,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { sha256Hex } from "./digest.ts";
import { type Signer, verifyEd25519 } from "./ed25519.ts";
import { readExact } from "./exact-message.ts";

/** An account that the operator disabled. */
export interface Disablement {
  readonly user: UserId;
  /** Wall time of the server, ms. */
  readonly since: number;
}

/** The server identity's word that an account is disabled. */
export async function signDisablement(
  { user, since }: Disablement,
  identityKey: Signer,
): Promise<Uint8Array<ArrayBuffer>> {
  const signature = await identityKey.sign(
    disablementInput({ user: fromHex(user), sinceMs: since }),
  );
  return toBinary(
    DisablementSchema,
    create(DisablementSchema, {
      user: fromHex(user),
      sinceMs: BigInt(since),
      serverKey: identityKey.publicKey,
      signature,
    }),
  );
}

/**
 * The disablement where the server whose identity key has this SHA-256 (hex) signed it; otherwise `undefined`.
 * Never throws.
 */
export async function openDisablement(
  bytes: Uint8Array,
  serverKeySha256: string,
): Promise<Disablement | undefined> {
  try {
    const message = readExact(DisablementSchema, bytes);
    const disablement = { user: parseUserId(message.user), since: toSafeNumber(message.sinceMs) };
    if ((await sha256Hex(message.serverKey)) !== serverKeySha256) return undefined;
    const input = disablementInput({ user: message.user, sinceMs: disablement.since });
    const valid = await verifyEd25519(message.serverKey, input, message.signature);
    return valid ? disablement : undefined;
  } catch {
    return undefined;
  }
}

/** The users whom an envelope proves to be disabled. `serverKeySha256`: 32 bytes. */
export async function provenDisabled(
  envelope: Envelope,
  serverKeySha256: Uint8Array,
): Promise<ReadonlySet<UserId>> {
  const pinned = toHex(serverKeySha256);
  const opened = await Promise.all(
    envelope.disabled.map((bytes) => openDisablement(bytes, pinned)),
  );
  return new Set(opened.flatMap((disablement) => disablement?.user ?? []));
}
