import type { CryptoEngine, HashName } from "./crypto-engine.ts";

/** HKDF (RFC 5869) with one hash. */
export interface Hkdf {
  /** Length of the hash, bytes. */
  readonly size: number;
  extract(salt: Uint8Array, keyingMaterial: Uint8Array): Promise<Uint8Array>;
  /** Throws `RangeError` above 255 times the length of the hash. */
  expand(key: Uint8Array, info: Uint8Array, length: number): Promise<Uint8Array>;
}

export const hashBytes: Readonly<Record<HashName, number>> = { "SHA-256": 32, "SHA-512": 64 };

/** HKDF by an engine's HMAC. */
export function hkdf(engine: CryptoEngine, hash: HashName): Hkdf {
  const size = hashBytes[hash];
  const noSalt = new Uint8Array(size);
  return {
    size,
    async extract(salt, keyingMaterial) {
      return await engine.hmac(hash, salt.length === 0 ? noSalt : salt, keyingMaterial);
    },
    async expand(key, info, length) {
      const blocks = Math.ceil(length / size);
      if (blocks > 255) throw new RangeError(`HKDF gives at most ${255 * size} bytes`);
      const output = new Uint8Array(blocks * size);
      // Each block's input: the block before, the info, a counter.
      const input = new Uint8Array(size + info.length + 1);
      input.set(info, size);
      for (let block = 1; block <= blocks; block++) {
        input[size + info.length] = block;
        const from = block === 1 ? input.subarray(size) : input;
        const made = await engine.hmac(hash, key, from);
        output.set(made, (block - 1) * size);
        input.set(made);
      }
      return output.slice(0, length);
    },
  };
}
