import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { MlsError } from "./mls-error.ts";
import type { SealingKeyPair } from "./sealing-key.ts";

/** What stands before the ciphertext: X-Wing's encapsulated key. */
const encapsulatedBytes = 1120;
const tagBytes = 16;
/** Secrets and messages are sealed so, not files. */
const plaintextBytesMax = 1024 * 1024;

/** Bytes that sealing adds. */
export const sealOverheadBytes: number = encapsulatedBytes + tagBytes;

/**
 * Seals `bytes` to a device's sealing key: HPKE (RFC 9180) base mode, single shot, with X-Wing,
 * HKDF-SHA256 and AES-256-GCM; `info` is "sotto-seal-v1", a zero byte and `purpose`, so that nothing sealed for
 * one purpose opens for another. Answers the encapsulated key (1,120 bytes) and the ciphertext. It says
 * nothing of who sealed: that is for a signature. Rejects with `MlsError` BAD_MESSAGE for a malformed
 * key, TOO_LARGE beyond 1 MiB.
 */
export async function sealTo(
  publicKey: Uint8Array,
  purpose: string,
  bytes: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes.length > plaintextBytesMax) throw new MlsError("TOO_LARGE", "too much to seal at once");
  try {
    const { hpke, kem } = suite();
    // Copies: the library keeps and clears buffers that it is given.
    const recipientPublicKey = await kem.deserializePublicKey(copyOf(publicKey));
    const sender = await hpke.createSenderContext({ recipientPublicKey, info: infoOf(purpose) });
    const ciphertext = new Uint8Array(await sender.seal(copyOf(bytes)));
    const sealed = new Uint8Array(encapsulatedBytes + ciphertext.length);
    sealed.set(new Uint8Array(sender.enc));
    sealed.set(ciphertext, encapsulatedBytes);
    return sealed;
  } catch (cause) {
    throw new MlsError("BAD_MESSAGE", "that cannot be sealed to this key", { cause });
  }
}

/** Opens what `sealTo` made for this key and purpose. Rejects with `MlsError` BAD_MESSAGE, TOO_LARGE. */
export async function openSealed(
  { privateKey }: Pick<SealingKeyPair, "privateKey">,
  purpose: string,
  sealed: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  if (sealed.length > plaintextBytesMax + sealOverheadBytes)
    throw new MlsError("TOO_LARGE", "a sealed secret of such a size is not opened");
  if (sealed.length < sealOverheadBytes)
    throw new MlsError("BAD_MESSAGE", "a sealed secret is cut off");
  try {
    const { hpke, kem } = suite();
    const recipient = await hpke.createRecipientContext({
      recipientKey: await kem.deserializePrivateKey(copyOf(privateKey)),
      enc: copyOf(sealed.subarray(0, encapsulatedBytes)),
      info: infoOf(purpose),
    });
    return new Uint8Array(await recipient.open(copyOf(sealed.subarray(encapsulatedBytes))));
  } catch (cause) {
    throw new MlsError("BAD_MESSAGE", "this was not sealed for this key and purpose", { cause });
  }
}

function suite(): { hpke: CipherSuite; kem: XWing } {
  const kem = new XWing();
  return { kem, hpke: new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() }) };
}

/** The bytes in a buffer of their own: `slice` of Node's Buffer, which received bytes may be, is a view. */
function copyOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function infoOf(purpose: string): ArrayBuffer {
  return new TextEncoder().encode(`sotto-seal-v1\0${purpose}`).buffer;
}
