import type { CryptoEngine, Encapsulated, KemKeyPair } from "./crypto-engine.ts";
import { hkdf } from "./hkdf.ts";
import { concat, labelled } from "./labelled.ts";

/** A KEM as HPKE uses it (RFC 9180 section 4). Private keys are secret. */
export interface Kem {
  /** Number in the registry of HPKE. */
  readonly id: number;
  readonly publicKeyBytes: number;
  readonly privateKeyBytes: number;
  readonly encapsulatedBytes: number;
  generateKeyPair(): Promise<KemKeyPair>;
  deriveKeyPair(keyingMaterial: Uint8Array): Promise<KemKeyPair>;
  publicKeyOf(privateKey: Uint8Array): Promise<Uint8Array>;
  encapsulate(publicKey: Uint8Array): Promise<Encapsulated>;
  /** Resolves with the shared secret. */
  decapsulate(privateKey: Uint8Array, encapsulated: Uint8Array): Promise<Uint8Array>;
}

export type KemName = "DHKEM-X25519-HKDF-SHA256" | "X-Wing";

export function kemOf(engine: CryptoEngine, name: KemName): Kem {
  return name === "X-Wing" ? xWingKem(engine) : dhKem(engine);
}

/** DHKEM(X25519, HKDF-SHA256), RFC 9180 section 4.1. */
function dhKem(engine: CryptoEngine): Kem {
  const id = 0x0020;
  const suite = concat(new TextEncoder().encode("KEM"), Uint8Array.of(id >> 8, id & 0xff));
  const { extract, expand } = labelled(hkdf(engine, "SHA-256"), suite);
  const { x25519 } = engine;
  const pairOf = async (privateKey: Uint8Array) => ({
    privateKey,
    publicKey: await x25519.publicKeyOf(privateKey),
  });
  const secretOf = async (shared: Uint8Array, context: Uint8Array) =>
    await expand(await extract(new Uint8Array(), "eae_prk", shared), "shared_secret", context, 32);
  return {
    id,
    publicKeyBytes: 32,
    privateKeyBytes: 32,
    encapsulatedBytes: 32,
    generateKeyPair: async () => await pairOf(engine.randomBytes(32)),
    async deriveKeyPair(keyingMaterial) {
      const prk = await extract(new Uint8Array(), "dkp_prk", keyingMaterial);
      return await pairOf(await expand(prk, "sk", new Uint8Array(), 32));
    },
    publicKeyOf: async (privateKey) => await x25519.publicKeyOf(privateKey),
    async encapsulate(publicKey) {
      const once = await pairOf(engine.randomBytes(32));
      const shared = await x25519.agree(once.privateKey, publicKey);
      return {
        sharedSecret: await secretOf(shared, concat(once.publicKey, publicKey)),
        encapsulated: once.publicKey,
      };
    },
    async decapsulate(privateKey, encapsulated) {
      const shared = await x25519.agree(privateKey, encapsulated);
      const publicKey = await x25519.publicKeyOf(privateKey);
      return await secretOf(shared, concat(encapsulated, publicKey));
    },
  };
}

function xWingKem(engine: CryptoEngine): Kem {
  const { xWing } = engine;
  const pairOf = async (privateKey: Uint8Array) => ({
    privateKey,
    publicKey: await xWing.publicKeyOf(privateKey),
  });
  return {
    id: 0x647a,
    publicKeyBytes: 1216,
    privateKeyBytes: 32,
    encapsulatedBytes: 1120,
    generateKeyPair: async () => await pairOf(engine.randomBytes(32)),
    deriveKeyPair: async (keyingMaterial) => await pairOf(await xWing.seedOf(keyingMaterial)),
    publicKeyOf: async (privateKey) => await xWing.publicKeyOf(privateKey),
    encapsulate: async (publicKey) => await xWing.encapsulate(publicKey),
    decapsulate: async (privateKey, encapsulated) =>
      await xWing.decapsulate(privateKey, encapsulated),
  };
}
