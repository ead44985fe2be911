import type { CryptoEngine, HashName } from "./crypto-engine.ts";
import { hkdf } from "./hkdf.ts";
import { type Kem, type KemName, kemOf } from "./kem.ts";
import { concat, labelled } from "./labelled.ts";

export interface HpkeSuite {
  readonly kem: KemName;
  readonly hash: HashName;
  readonly aead: "AES128GCM" | "AES256GCM";
}

/** HPKE in base mode, one message for each encapsulated key (RFC 9180 sections 5.1 and 6). */
export interface HpkeBase {
  readonly kem: Kem;
  /** Length of the cipher's key, bytes. */
  readonly keyBytes: number;
  seal(
    publicKey: Uint8Array,
    info: Uint8Array,
    additional: Uint8Array,
    plaintext: Uint8Array,
  ): Promise<{ readonly encapsulated: Uint8Array; readonly ciphertext: Uint8Array }>;
  /** Rejects where anything was altered. */
  open(
    privateKey: Uint8Array,
    encapsulated: Uint8Array,
    info: Uint8Array,
    additional: Uint8Array,
    ciphertext: Uint8Array,
  ): Promise<Uint8Array>;
  /** A secret for the owner of `publicKey` (section 5.3). */
  exportTo(
    publicKey: Uint8Array,
    info: Uint8Array,
    context: Uint8Array,
    length: number,
  ): Promise<{ readonly encapsulated: Uint8Array; readonly secret: Uint8Array }>;
  exportFrom(
    privateKey: Uint8Array,
    encapsulated: Uint8Array,
    info: Uint8Array,
    context: Uint8Array,
    length: number,
  ): Promise<Uint8Array>;
}

const kdfIds: Readonly<Record<HashName, number>> = { "SHA-256": 1, "SHA-512": 3 };
const empty = new Uint8Array();
const baseMode = Uint8Array.of(0);

export function hpkeOf(engine: CryptoEngine, suite: HpkeSuite): HpkeBase {
  const kem = kemOf(engine, suite.kem);
  const kdf = hkdf(engine, suite.hash);
  const [aeadId, keyBytes] = suite.aead === "AES128GCM" ? [1, 16] : [2, 32];
  const ids = [kem.id, kdfIds[suite.hash], aeadId].flatMap((id) => [id >> 8, id & 0xff]);
  const suiteId = concat(new TextEncoder().encode("HPKE"), Uint8Array.from(ids));
  const { extract, expand } = labelled(kdf, suiteId);
  let noPsk: Promise<Uint8Array> | undefined;

  /** The key schedule of section 5.1 without a pre-shared key. */
  async function schedule(sharedSecret: Uint8Array, info: Uint8Array) {
    noPsk ??= extract(empty, "psk_id_hash", empty);
    const context = concat(baseMode, await noPsk, await extract(empty, "info_hash", info));
    return { secret: await extract(sharedSecret, "secret", empty), context };
  }

  async function cipher(sharedSecret: Uint8Array, info: Uint8Array) {
    const { secret, context } = await schedule(sharedSecret, info);
    return {
      key: await expand(secret, "key", context, keyBytes),
      nonce: await expand(secret, "base_nonce", context, 12),
    };
  }

  async function exported(
    sharedSecret: Uint8Array,
    info: Uint8Array,
    exporterContext: Uint8Array,
    length: number,
  ) {
    const { secret, context } = await schedule(sharedSecret, info);
    const exporter = await expand(secret, "exp", context, kdf.size);
    return await expand(exporter, "sec", exporterContext, length);
  }

  return {
    kem,
    keyBytes,
    async seal(publicKey, info, additional, plaintext) {
      const { sharedSecret, encapsulated } = await kem.encapsulate(publicKey);
      const { key, nonce } = await cipher(sharedSecret, info);
      return { encapsulated, ciphertext: await engine.seal(key, nonce, additional, plaintext) };
    },
    async open(privateKey, encapsulated, info, additional, ciphertext) {
      const sharedSecret = await kem.decapsulate(privateKey, encapsulated);
      const { key, nonce } = await cipher(sharedSecret, info);
      return await engine.open(key, nonce, additional, ciphertext);
    },
    async exportTo(publicKey, info, context, length) {
      const { sharedSecret, encapsulated } = await kem.encapsulate(publicKey);
      return { encapsulated, secret: await exported(sharedSecret, info, context, length) };
    },
    async exportFrom(privateKey, encapsulated, info, context, length) {
      const sharedSecret = await kem.decapsulate(privateKey, encapsulated);
      return await exported(sharedSecret, info, context, length);
    },
  };
}
