import type { Credential } from "ts-mls";
import { MlsError } from "./mls-error.ts";

/** Who stands behind a leaf. Ids are lower-case hex. */
export interface LeafIdentity {
  readonly user: string;
  readonly device: string;
  /** SHA-256 of the identity record that added the device. */
  readonly recordHash: Uint8Array;
}

/** A device's leaf signature key: Ed25519. */
export interface SignatureKey {
  readonly publicKey: Uint8Array;
  /** Seed, 32 bytes. Secret. */
  readonly privateKey: Uint8Array;
}

/** Says whether a key was certified for a leaf's device. */
export type Judge = (leaf: LeafIdentity, signaturePublicKey: Uint8Array) => boolean;

const prefix = new TextEncoder().encode("sotto1");
const credentialBytes = prefix.length + 16 + 16 + 32;

/** The basic credential of a leaf: "sotto1" || user || device || record hash. */
export function credentialOf(identity: LeafIdentity): Credential {
  const bytes = new Uint8Array(credentialBytes);
  bytes.set(prefix);
  bytes.set(fromHex(identity.user, 16), prefix.length);
  bytes.set(fromHex(identity.device, 16), prefix.length + 16);
  bytes.set(identity.recordHash, prefix.length + 32);
  return { credentialType: "basic", identity: bytes };
}

/** By the bytes of a leaf's credential, which stay as they were decoded: each message asks for its sender's. */
const known = new WeakMap<Uint8Array, LeafIdentity>();

/** The identity in a credential. Throws `MlsError` UNTRUSTED where it is another kind of credential. */
export function identityOf(credential: Credential): LeafIdentity {
  if (credential.credentialType !== "basic") return readIdentity(credential);
  const before = known.get(credential.identity);
  if (before) return before;
  const identity = readIdentity(credential);
  known.set(credential.identity, identity);
  return identity;
}

function readIdentity(credential: Credential): LeafIdentity {
  const bytes = credential.credentialType === "basic" ? credential.identity : new Uint8Array();
  if (bytes.length !== credentialBytes || prefix.some((byte, i) => byte !== bytes[i])) {
    throw new MlsError("UNTRUSTED", "a leaf's credential is not one of Sotto");
  }
  return {
    user: toHex(bytes.subarray(prefix.length, prefix.length + 16)),
    device: toHex(bytes.subarray(prefix.length + 16, prefix.length + 32)),
    recordHash: bytes.slice(prefix.length + 32),
  };
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(text: string, length: number): Uint8Array {
  if (text.length !== 2 * length || !/^[0-9a-f]*$/.test(text))
    throw new RangeError(`not ${length} bytes of hex`);
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
