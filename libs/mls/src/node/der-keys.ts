import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { concat } from "../engine/labelled.ts";
import { lengthOf, privatePrefix, publicPrefix } from "../engine/raw-keys.ts";

type Curve = "ed25519" | "x25519";
const mlKemSeedBytes = 64;
const mlKemPublicBytes = 1184;

export function curvePrivateKey(curve: Curve, raw: Uint8Array): KeyObject {
  return fromPrivateDer(concat(privatePrefix[curve], lengthOf(raw, 32)));
}

export function curvePublicKey(curve: Curve, raw: Uint8Array): KeyObject {
  return fromPublicDer(concat(publicPrefix[curve], lengthOf(raw, 32)));
}

export function mlKemPrivateKey(seed: Uint8Array): KeyObject {
  return fromPrivateDer(concat(privatePrefix.mlKem768, lengthOf(seed, mlKemSeedBytes)));
}

/** Throws where the bytes are no key: OpenSSL checks the modulus (FIPS 203 section 7.2). */
export function mlKemPublicKey(raw: Uint8Array): KeyObject {
  return fromPublicDer(concat(publicPrefix.mlKem768, lengthOf(raw, mlKemPublicBytes)));
}

/** The raw public key of a private one. */
export function rawPublicKeyOf(privateKey: KeyObject): Uint8Array {
  const der = plain(createPublicKey(privateKey).export({ format: "der", type: "spki" }));
  return der.slice(privateKey.asymmetricKeyType === "ml-kem-768" ? -mlKemPublicBytes : -32);
}

/** The same bytes as a plain array: a Buffer's `slice` does not copy, and the library counts on copies. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function fromPrivateDer(der: Uint8Array<ArrayBuffer>): KeyObject {
  return createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" });
}

function fromPublicDer(der: Uint8Array<ArrayBuffer>): KeyObject {
  return createPublicKey({ key: Buffer.from(der.buffer), format: "der", type: "spki" });
}
