import { createHash, decapsulate, encapsulate, hash, randomBytes } from "node:crypto";
import type { XWing } from "../engine/crypto-engine.ts";
import { concat } from "../engine/labelled.ts";
import { lengthOf } from "../engine/raw-keys.ts";
import { mlKemPrivateKey, mlKemPublicKey, plain, rawPublicKeyOf } from "./der-keys.ts";
import { nodeX25519 } from "./node-x25519.ts";

/** The six characters `\.//^\`. */
const label = Uint8Array.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c);
const mlKemPublicBytes = 1184;
const mlKemCiphertextBytes = 1088;
const publicKeyBytes = mlKemPublicBytes + 32;
const encapsulatedBytes = mlKemCiphertextBytes + 32;

/** X-Wing of Node's ML-KEM-768 and X25519 (draft-connolly-cfrg-xwing-kem section 5). */
export const nodeXWing: XWing = {
  publicKeyOf(seed) {
    const { mlKem, x25519 } = expand(seed);
    return concat(rawPublicKeyOf(mlKemPrivateKey(mlKem)), nodeX25519.publicKeyOf(x25519));
  },
  seedOf: (keyingMaterial) => shake256(keyingMaterial, 32),
  encapsulate(publicKey) {
    lengthOf(publicKey, publicKeyBytes);
    const theirs = publicKey.subarray(mlKemPublicBytes);
    const { sharedKey, ciphertext } = encapsulate(
      mlKemPublicKey(publicKey.subarray(0, mlKemPublicBytes)),
    );
    const once = plain(randomBytes(32));
    const point = nodeX25519.publicKeyOf(once);
    const shared = nodeX25519.agree(once, theirs);
    return {
      sharedSecret: combine(sharedKey, shared, point, theirs),
      encapsulated: concat(ciphertext, point),
    };
  },
  decapsulate(seed, encapsulated) {
    lengthOf(encapsulated, encapsulatedBytes);
    const { mlKem, x25519 } = expand(seed);
    const point = encapsulated.subarray(mlKemCiphertextBytes);
    const mlKemSecret = decapsulate(
      mlKemPrivateKey(mlKem),
      encapsulated.subarray(0, mlKemCiphertextBytes),
    );
    const shared = nodeX25519.agree(x25519, point);
    return combine(mlKemSecret, shared, point, nodeX25519.publicKeyOf(x25519));
  },
};

function expand(seed: Uint8Array): { mlKem: Uint8Array; x25519: Uint8Array } {
  const expanded = shake256(lengthOf(seed, 32), 96);
  return { mlKem: expanded.subarray(0, 64), x25519: expanded.subarray(64) };
}

function combine(
  mlKemSecret: Uint8Array,
  x25519Secret: Uint8Array,
  point: Uint8Array,
  publicPoint: Uint8Array,
): Uint8Array {
  const input = concat(mlKemSecret, x25519Secret, point, publicPoint, label);
  return plain(hash("sha3-256", input, "buffer"));
}

function shake256(data: Uint8Array, outputLength: number): Uint8Array {
  return plain(createHash("shake256", { outputLength }).update(data).digest());
}
