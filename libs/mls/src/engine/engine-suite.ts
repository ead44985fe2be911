import type { Ciphersuite, CiphersuiteImpl, PrivateKey, PublicKey } from "ts-mls";
import type { CryptoEngine, HashName } from "./crypto-engine.ts";
import { hashBytes, hkdf } from "./hkdf.ts";
import { type HpkeBase, type HpkeSuite, hpkeOf } from "./hpke.ts";

/** The library's suite, all of its algorithms by one engine. Throws `RangeError` for algorithms of other suites. */
export function suiteOf(engine: CryptoEngine, suite: Ciphersuite): CiphersuiteImpl {
  const { kem, kdf, aead } = suite.hpke;
  if (
    (kem !== "X-Wing" && kem !== "DHKEM-X25519-HKDF-SHA256") ||
    (aead !== "AES128GCM" && aead !== "AES256GCM") ||
    suite.signature !== "Ed25519" ||
    suite.hash === "SHA-384" ||
    kdf === "HKDF-SHA384"
  )
    throw new RangeError(`no engine has all algorithms of ${suite.name}`);
  const hash = suite.hash;
  const hpkeSuite: HpkeSuite = { kem, aead, hash: kdf === "HKDF-SHA256" ? "SHA-256" : "SHA-512" };
  return {
    name: suite.name,
    hash: {
      digest: async (data) => await engine.digest(hash, data),
      mac: async (key, data) => await engine.hmac(hash, key, data),
      verifyMac: async (key, mac, data) => await verifyMac(engine, hash, key, mac, data),
    },
    kdf: hkdf(engine, hpkeSuite.hash),
    signature: {
      sign: async (seed, message) => await engine.sign(seed, message),
      verify: async (publicKey, message, signature) =>
        await engine.verify(publicKey, message, signature),
      async keygen() {
        const signKey = engine.randomBytes(32);
        return { signKey, publicKey: await engine.signaturePublicKeyOf(signKey) };
      },
    },
    hpke: hpkeForLibrary(engine, hpkeOf(engine, hpkeSuite)),
    rng: { randomBytes: (length) => engine.randomBytes(length) },
  };
}

async function verifyMac(
  engine: CryptoEngine,
  hash: HashName,
  key: Uint8Array,
  mac: Uint8Array,
  data: Uint8Array,
): Promise<boolean> {
  const right = await engine.hmac(hash, key, data);
  if (mac.length !== hashBytes[hash]) return false;
  // All bytes are compared, wherever the first difference is.
  let difference = 0;
  for (const [i, byte] of right.entries()) difference |= byte ^ (mac[i] ?? 0);
  return difference === 0;
}

/** A KEM's key as the library passes it around: it looks at nothing but `type`. */
class RawKey<Kind extends "public" | "private"> {
  readonly type: Kind;
  readonly bytes: Uint8Array;
  constructor(type: Kind, bytes: Uint8Array) {
    this.type = type;
    this.bytes = bytes;
  }
}

function rawOf(key: unknown, type: "public" | "private"): Uint8Array {
  if (!(key instanceof RawKey) || key.type !== type)
    throw new TypeError(`not a ${type} key of this engine`);
  return key.bytes;
}

function publicKey(bytes: Uint8Array): PublicKey {
  return new RawKey("public", bytes) as unknown as PublicKey;
}

function privateKey(bytes: Uint8Array): PrivateKey {
  return new RawKey("private", bytes) as unknown as PrivateKey;
}

const nothing = new Uint8Array();

function hpkeForLibrary(engine: CryptoEngine, hpke: HpkeBase): CiphersuiteImpl["hpke"] {
  const { kem } = hpke;
  return {
    keyLength: hpke.keyBytes,
    nonceLength: 12,
    async seal(key, plaintext, info, additional = nothing) {
      const sealed = await hpke.seal(rawOf(key, "public"), info, additional, plaintext);
      return { ct: sealed.ciphertext, enc: sealed.encapsulated };
    },
    open: async (key, kemOutput, ciphertext, info, additional = nothing) =>
      await hpke.open(rawOf(key, "private"), kemOutput, info, additional, ciphertext),
    async exportSecret(key, context, length, info) {
      const made = await hpke.exportTo(rawOf(key, "public"), info, context, length);
      return { enc: made.encapsulated, secret: made.secret };
    },
    importSecret: async (key, context, kemOutput, length, info) =>
      await hpke.exportFrom(rawOf(key, "private"), kemOutput, info, context, length),
    async importPublicKey(bytes) {
      if (bytes.length !== kem.publicKeyBytes) throw new RangeError("a public key of wrong length");
      return publicKey(bytes);
    },
    async importPrivateKey(bytes) {
      if (bytes.length !== kem.privateKeyBytes)
        throw new RangeError("a private key of wrong length");
      return privateKey(bytes);
    },
    exportPublicKey: async (key) => new Uint8Array(rawOf(key, "public")),
    exportPrivateKey: async (key) => new Uint8Array(rawOf(key, "private")),
    encryptAead: async (key, nonce, additional, plaintext) =>
      await engine.seal(key, nonce, additional ?? nothing, plaintext),
    decryptAead: async (key, nonce, additional, ciphertext) =>
      await engine.open(key, nonce, additional ?? nothing, ciphertext),
    async deriveKeyPair(keyingMaterial) {
      const pair = await kem.deriveKeyPair(keyingMaterial);
      return { publicKey: publicKey(pair.publicKey), privateKey: privateKey(pair.privateKey) };
    },
    async generateKeyPair() {
      const pair = await kem.generateKeyPair();
      return { publicKey: publicKey(pair.publicKey), privateKey: privateKey(pair.privateKey) };
    },
  };
}
