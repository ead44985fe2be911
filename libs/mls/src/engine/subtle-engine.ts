import type { CryptoEngine } from "./crypto-engine.ts";
import { KeyCache } from "./key-cache.ts";
import { concat } from "./labelled.ts";
import { lengthOf, privatePrefix } from "./raw-keys.ts";
import { softwareXWing } from "./software-x-wing.ts";

/** What an engine needs of a WebCrypto. Its keys stay inside: one implementation's keys mean nothing to another. */
export type SubtleCryptoSource = Pick<typeof globalThis.crypto, "subtle" | "getRandomValues">;

/** Small steps that may be done otherwise than by a call of WebCrypto. */
export type SmallSteps = Pick<CryptoEngine, "digest" | "hmac">;

type Key = Awaited<ReturnType<SubtleCryptoSource["subtle"]["importKey"]>>;
type Bytes = Uint8Array<ArrayBuffer>;

/** An engine over any implementation of WebCrypto that has Ed25519 and X25519; X-Wing is in JavaScript. */
export function subtleEngine(
  name: string,
  crypto: SubtleCryptoSource,
  smallSteps: SmallSteps = subtleSteps(crypto),
): CryptoEngine {
  const { subtle } = crypto;
  const keys = new KeyCache<Promise<Key>>();

  const importPrivate = (
    algorithm: "Ed25519" | "X25519",
    raw: Uint8Array,
    extractable: boolean,
  ) => {
    const prefix = privatePrefix[algorithm === "Ed25519" ? "ed25519" : "x25519"];
    const der = concat(prefix, lengthOf(raw, 32));
    const usages = algorithm === "Ed25519" ? (["sign"] as const) : (["deriveBits"] as const);
    return subtle.importKey("pkcs8", der, { name: algorithm }, extractable, [...usages]);
  };
  const importPublic = (algorithm: "Ed25519" | "X25519", raw: Uint8Array) => {
    const usages = algorithm === "Ed25519" ? (["verify"] as const) : [];
    const copy = new Uint8Array(lengthOf(raw, 32));
    return subtle.importKey("raw", copy, { name: algorithm }, true, [...usages]);
  };
  const publicKeyOf = async (algorithm: "Ed25519" | "X25519", raw: Uint8Array) => {
    const jwk = await subtle.exportKey("jwk", await importPrivate(algorithm, raw, true));
    return fromBase64Url(jwk.x ?? "");
  };
  const aesKey = (key: Uint8Array, usage: "encrypt" | "decrypt") => {
    if (key.length !== 16 && key.length !== 32)
      throw new RangeError("an AES key has 16 or 32 bytes");
    return subtle.importKey("raw", key as Bytes, "AES-GCM", false, [usage]);
  };
  const aesParameters = (nonce: Uint8Array, additional: Uint8Array) => ({
    name: "AES-GCM",
    iv: lengthOf(nonce, 12) as Bytes,
    additionalData: additional as Bytes,
  });

  return {
    name,
    ...smallSteps,
    async seal(key, nonce, additional, plaintext) {
      const parameters = aesParameters(nonce, additional);
      const imported = await aesKey(key, "encrypt");
      return new Uint8Array(await subtle.encrypt(parameters, imported, plaintext as Bytes));
    },
    async open(key, nonce, additional, sealed) {
      const parameters = aesParameters(nonce, additional);
      const imported = await aesKey(key, "decrypt");
      return new Uint8Array(await subtle.decrypt(parameters, imported, sealed as Bytes));
    },
    async sign(seed, message) {
      const key = await keys.forPrivate(seed, (raw) => importPrivate("Ed25519", raw, false));
      return new Uint8Array(await subtle.sign("Ed25519", key, message as Bytes));
    },
    async verify(publicKey, message, signature) {
      if (signature.length !== 64) return false;
      try {
        const key = await keys.forPublic(publicKey, (raw) => importPublic("Ed25519", raw));
        return await subtle.verify("Ed25519", key, signature as Bytes, message as Bytes);
      } catch {
        return false;
      }
    },
    signaturePublicKeyOf: (seed) => publicKeyOf("Ed25519", seed),
    x25519: {
      publicKeyOf: (privateKey) => publicKeyOf("X25519", privateKey),
      async agree(privateKey, publicKey) {
        const own = await importPrivate("X25519", privateKey, false);
        const theirs = await importPublic("X25519", publicKey);
        const parameters = { name: "X25519", public: theirs };
        const shared = new Uint8Array(await subtle.deriveBits(parameters, own, 256));
        if (shared.every((byte) => byte === 0)) throw new RangeError("a key of low order");
        return shared;
      },
    },
    xWing: softwareXWing,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  };
}

/** Hash and HMAC by WebCrypto itself. */
export function subtleSteps({ subtle }: SubtleCryptoSource): SmallSteps {
  return {
    digest: async (hash, data) => new Uint8Array(await subtle.digest(hash, data as Bytes)),
    async hmac(hash, key, data) {
      const algorithm = { name: "HMAC", hash };
      // WebCrypto refuses an empty key; one byte of zero is the same key, as HMAC pads with zeros.
      const raw = key.length === 0 ? new Uint8Array(1) : (key as Bytes);
      const imported = await subtle.importKey("raw", raw, algorithm, false, ["sign"]);
      return new Uint8Array(await subtle.sign("HMAC", imported, data as Bytes));
    },
  };
}

function fromBase64Url(text: string): Uint8Array {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
