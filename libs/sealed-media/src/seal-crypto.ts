/** AES-256-GCM under one key, with 12-byte nonces, 16-byte tags and no additional data. */
export interface ChunkCipher {
  seal(nonce: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array> | Uint8Array;
  /** Rejects or throws where the tag is wrong. */
  open(nonce: Uint8Array, sealed: Uint8Array): Promise<Uint8Array> | Uint8Array;
}

/** The primitives that sealing needs. */
export interface SealCrypto {
  hmacSha512(key: Uint8Array, data: Uint8Array): Promise<Uint8Array> | Uint8Array;
  sha256(data: Uint8Array): Promise<Uint8Array> | Uint8Array;
  chunkCipher(key: Uint8Array): Promise<ChunkCipher> | ChunkCipher;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** The platform's WebCrypto: everywhere. */
export const webSealCrypto: SealCrypto = {
  async hmacSha512(key, data) {
    const hmac = { name: "HMAC", hash: "SHA-512" };
    const imported = await crypto.subtle.importKey("raw", key as Bytes, hmac, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data as Bytes));
  },
  async sha256(data) {
    return new Uint8Array(await crypto.subtle.digest("SHA-256", data as Bytes));
  },
  async chunkCipher(key) {
    const imported = await crypto.subtle.importKey("raw", key as Bytes, "AES-GCM", false, [
      "encrypt",
      "decrypt",
    ]);
    return {
      async seal(nonce, plaintext) {
        const algorithm = { name: "AES-GCM", iv: nonce as Bytes };
        return new Uint8Array(await crypto.subtle.encrypt(algorithm, imported, plaintext as Bytes));
      },
      async open(nonce, sealed) {
        const algorithm = { name: "AES-GCM", iv: nonce as Bytes };
        return new Uint8Array(await crypto.subtle.decrypt(algorithm, imported, sealed as Bytes));
      },
    };
  },
};
