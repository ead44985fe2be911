import { XWing } from "@hpke/hybridkem-x-wing";

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
  const kem = new XWing();
  // The library keeps the buffer that it is given, whole: it gets one of its own.
  const { publicKey } = await kem.generateKeyPairDerand(new Uint8Array(privateKey));
  return {
    publicKey: new Uint8Array(await kem.serializePublicKey(publicKey)).slice(),
    privateKey: new Uint8Array(privateKey),
  };
}
