import { fromBase64Url, toBase64Url } from "./base64url.ts";

/** Makes signatures with one Ed25519 key, for one purpose. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The signature, 64 bytes (RFC 8032). */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

export interface Ed25519KeyPair {
  readonly publicKey: Uint8Array;
  /** 32 bytes. Secret. */
  readonly seed: Uint8Array;
}

const pkcs8Prefix = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);

/** Imported public keys that are kept; the oldest goes first. */
const cachedKeysMax = 2048;
/** The platform's own key object. */
export type PlatformKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const importedKeys = new Map<string, Promise<PlatformKey>>();

/** The PKCS#8 form of a seed (RFC 8410). */
export function pkcs8OfSeed(seed: Uint8Array): Uint8Array<ArrayBuffer> {
  if (seed.length !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.length}`);
  const bytes = new Uint8Array(pkcs8Prefix.length + 32);
  bytes.set(pkcs8Prefix);
  bytes.set(seed, pkcs8Prefix.length);
  return bytes;
}

/** A new key pair from the platform's randomness. */
export async function generateEd25519(): Promise<Ed25519KeyPair> {
  const seed = crypto.getRandomValues(new Uint8Array(32));
  return { seed, publicKey: (await signerFromSeed(seed)).publicKey };
}

/** A signer for a seed. Throws `RangeError` where it has not 32 bytes. */
export async function signerFromSeed(seed: Uint8Array): Promise<Signer> {
  const key = await crypto.subtle.importKey("pkcs8", pkcs8OfSeed(seed), "Ed25519", true, ["sign"]);
  const { x } = await crypto.subtle.exportKey("jwk", key);
  const publicKey = fromBase64Url(x ?? "");
  return {
    publicKey,
    async sign(message) {
      return new Uint8Array(
        await crypto.subtle.sign("Ed25519", key, message as Uint8Array<ArrayBuffer>),
      );
    },
  };
}

/** True where `signature` is one of `message` by the key. Never throws: a malformed key or signature is false. */
export async function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    const key = await importPublicKey(publicKey);
    const signed = message as Uint8Array<ArrayBuffer>;
    return await crypto.subtle.verify("Ed25519", key, signature as Uint8Array<ArrayBuffer>, signed);
  } catch {
    return false;
  }
}

/** The platform's key object of a public key, kept for the next time. */
export function importPublicKey(publicKey: Uint8Array): Promise<PlatformKey> {
  const name = toBase64Url(publicKey);
  const known = importedKeys.get(name);
  if (known) return known;
  const imported = crypto.subtle.importKey(
    "raw",
    publicKey as Uint8Array<ArrayBuffer>,
    "Ed25519",
    true,
    ["verify"],
  );
  if (importedKeys.size >= cachedKeysMax)
    importedKeys.delete(importedKeys.keys().next().value ?? "");
  importedKeys.set(name, imported);
  imported.catch(() => importedKeys.delete(name));
  return imported;
}
