import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import type { SealCrypto } from "./seal-crypto.ts";
import { tagBytes } from "./sizes.ts";

const algorithm = "aes-256-gcm";

/** Node's own primitives, synchronous: no thread is crossed for a chunk of 16 KiB. */
export const nodeSealCrypto: SealCrypto = {
  hmacSha512: (key, data) => createHmac("sha512", key).update(data).digest(),
  sha256: (data) => createHash("sha256").update(data).digest(),
  chunkCipher: (key) => ({
    seal(nonce, plaintext) {
      const cipher = createCipheriv(algorithm, key, nonce);
      return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    },
    open(nonce, sealed) {
      const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
      decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
      const plaintext = decipher.update(sealed.subarray(0, sealed.length - tagBytes));
      decipher.final();
      return plaintext;
    },
  }),
};
