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
  const kem = new XWing();
  const { publicKey, privateKey } = await kem.generateKeyPair();
  return {
    publicKey: new Uint8Array(await kem.serializePublicKey(publicKey)),
    privateKey: new Uint8Array(await kem.serializePrivateKey(privateKey)),
  };
}
