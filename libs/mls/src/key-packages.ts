import {
  type CiphersuiteImpl,
  generateKeyPackageWithKey,
  type KeyPackage,
  type PrivateKeyPackage,
} from "ts-mls";
import { makeKeyPackageRef, verifyKeyPackage } from "ts-mls/keyPackage.js";
import { credentialOf, identityOf, type LeafIdentity, type SignatureKey } from "./leaf-identity.ts";
import { guarded, MlsError } from "./mls-error.ts";
import { pack, unpack } from "./packed.ts";
import { capabilitiesOf, lastResortExtension } from "./safe-config.ts";
import { ciphersuiteName, type SuiteName } from "./suite.ts";
import { decodeMessage, encodeMessage } from "./wire.ts";

const secretVersion = 1;
const keyPackageBytesMax = 16 * 1024;
const daySeconds = 24 * 3600;
const lifetimeSeconds = 90 * daySeconds;

export interface GeneratedKeyPackage {
  /** An MLSMessage of type KeyPackage, to be published. */
  readonly keyPackage: Uint8Array;
  /** To be kept until its Welcome came. Secret. */
  readonly secret: Uint8Array;
  /** KeyPackageRef (RFC 9420 section 5.2). */
  readonly ref: Uint8Array;
}

export interface KeyPackageInput {
  readonly identity: LeafIdentity;
  readonly signatureKey: SignatureKey;
  readonly lastResort: boolean;
}

/** A KeyPackage that was verified. */
export interface ReadKeyPackage {
  readonly identity: LeafIdentity;
  readonly signaturePublicKey: Uint8Array;
  /** Wall time, ms. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly lastResort: boolean;
  readonly ref: Uint8Array;
}

/** Makes a KeyPackage that is good for 90 days, and from a day ago on for clocks that are behind. */
export async function generate(
  suite: SuiteName,
  cs: CiphersuiteImpl,
  nowMs: number,
  input: KeyPackageInput,
): Promise<GeneratedKeyPackage> {
  const now = Math.floor(nowMs / 1000);
  const { publicPackage, privatePackage } = await generateKeyPackageWithKey(
    credentialOf(input.identity),
    capabilitiesOf(suite),
    { notBefore: BigInt(now - daySeconds), notAfter: BigInt(now + lifetimeSeconds) },
    input.lastResort
      ? [{ extensionType: lastResortExtension, extensionData: new Uint8Array() }]
      : [],
    { signKey: input.signatureKey.privateKey, publicKey: input.signatureKey.publicKey },
    cs,
  );
  const keyPackage = encodeMessage({
    version: "mls10",
    wireformat: "mls_key_package",
    keyPackage: publicPackage,
  });
  const secret = packSecret(keyPackage, privatePackage, input.lastResort);
  return { keyPackage, secret, ref: await makeKeyPackageRef(publicPackage, cs.hash) };
}

/** Decodes and verifies a KeyPackage: suite, signature, credential. Rejects with `MlsError`. */
export async function read(
  suite: SuiteName,
  cs: CiphersuiteImpl,
  bytes: Uint8Array,
): Promise<ReadKeyPackage> {
  const decoded = await decodeVerified(suite, cs, bytes);
  const { leafNode, extensions } = decoded;
  return {
    identity: identityOf(leafNode.credential),
    signaturePublicKey: leafNode.signaturePublicKey,
    notBefore: Number(leafNode.lifetime.notBefore) * 1000,
    notAfter: Number(leafNode.lifetime.notAfter) * 1000,
    lastResort: extensions.some(({ extensionType }) => extensionType === lastResortExtension),
    ref: await makeKeyPackageRef(decoded, cs.hash),
  };
}

/** The library's form of a KeyPackage that was verified. */
export async function decodeVerified(
  suite: SuiteName,
  cs: CiphersuiteImpl,
  bytes: Uint8Array,
): Promise<KeyPackage> {
  const { keyPackage } = decodeMessage(bytes, "mls_key_package", keyPackageBytesMax);
  if (keyPackage.cipherSuite !== ciphersuiteName(suite)) {
    throw new MlsError("BAD_MESSAGE", "a KeyPackage of another cipher suite");
  }
  const valid = await guarded("BAD_MESSAGE", () => verifyKeyPackage(keyPackage, cs.signature));
  if (!valid) throw new MlsError("BAD_MESSAGE", "a KeyPackage whose signature is not valid");
  return keyPackage;
}

/** What is kept of a KeyPackage until its Welcome came. Secret. */
export function packSecret(
  keyPackage: Uint8Array,
  keys: Pick<PrivateKeyPackage, "initPrivateKey" | "hpkePrivateKey">,
  lastResort: boolean,
): Uint8Array {
  return pack(secretVersion, [
    Uint8Array.of(lastResort ? 1 : 0),
    keyPackage,
    keys.initPrivateKey,
    keys.hpkePrivateKey,
  ]);
}

/** What a stored secret belongs to. Throws `MlsError` BROKEN_STATE. */
export function openSecret(
  secret: Uint8Array,
  signaturePrivateKey: Uint8Array,
): { keyPackage: KeyPackage; privateKeys: PrivateKeyPackage; lastResort: boolean } {
  const [flags, encoded, initPrivateKey, hpkePrivateKey] = unpack(secret, secretVersion, 4);
  if (!flags || !encoded || !initPrivateKey || !hpkePrivateKey) {
    throw new MlsError("BROKEN_STATE", "a stored KeyPackage secret cannot be read");
  }
  const { keyPackage } = decodeMessage(encoded, "mls_key_package", keyPackageBytesMax);
  return {
    keyPackage,
    privateKeys: { initPrivateKey, hpkePrivateKey, signaturePrivateKey },
    lastResort: flags[0] === 1,
  };
}
