import { XWing as HpkeXWing } from "@hpke/hybridkem-x-wing";
import { shake256 } from "@noble/hashes/sha3.js";
import type { XWing } from "./crypto-engine.ts";
import { lengthOf } from "./raw-keys.ts";

/** X-Wing in JavaScript, for platforms whose WebCrypto has no ML-KEM. */
export const softwareXWing: XWing = {
  async publicKeyOf(seed) {
    const { publicKey } = await kem.generateKeyPairDerand(new Uint8Array(lengthOf(seed, 32)));
    return new Uint8Array(await kem.serializePublicKey(publicKey));
  },
  seedOf: (keyingMaterial) => shake256(keyingMaterial, { dkLen: 32 }),
  async encapsulate(publicKey) {
    const recipientPublicKey = await kem.deserializePublicKey(wholeBuffer(publicKey));
    const { sharedSecret, enc } = await kem.encap({ recipientPublicKey });
    return { sharedSecret: new Uint8Array(sharedSecret), encapsulated: new Uint8Array(enc) };
  },
  async decapsulate(seed, encapsulated) {
    const recipientKey = await kem.deserializePrivateKey(wholeBuffer(seed));
    return new Uint8Array(await kem.decap({ recipientKey, enc: wholeBuffer(encapsulated) }));
  },
};

const kem = new HpkeXWing();

/** A copy of its own: the library below reads the whole buffer behind a view. */
function wholeBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
