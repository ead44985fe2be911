import { softwareXWing } from "./engine/software-x-wing.ts";

/** A key that other devices seal secrets to: X-Wing. */
export interface SealingKeyPair {
  /** 1,216 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes. Secret. */
  readonly privateKey: Uint8Array;
}

/** A new key pair for sealing from device to device. */
export async function generateSealingKey(): Promise<SealingKeyPair> {
  return await sealingKeyOf(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * The key pair of a private key, which is the seed that everything follows from
 * (draft-connolly-cfrg-xwing-kem, GenerateKeyPairDerand). Throws `RangeError` where it has not 32 bytes.
 */
export async function sealingKeyOf(privateKey: Uint8Array): Promise<SealingKeyPair> {
  if (privateKey.length !== 32)
    throw new RangeError(`a sealing key's private half has 32 bytes, not ${privateKey.length}`);
  return {
    publicKey: await softwareXWing.publicKeyOf(privateKey),
    privateKey: new Uint8Array(privateKey),
  };
}
