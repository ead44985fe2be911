import type { CryptoEngine } from "./engine/crypto-engine.ts";
import { type HpkeBase, hpkeOf } from "./engine/hpke.ts";
import { concat } from "./engine/labelled.ts";
import { webEngine } from "./engine/web-engine.ts";
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
  engine: CryptoEngine = webEngine,
): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes.length > plaintextBytesMax) throw new MlsError("TOO_LARGE", "too much to seal at once");
  try {
    const sealed = await hpke(engine).seal(publicKey, infoOf(purpose), nothing, bytes);
    return concat(sealed.encapsulated, sealed.ciphertext);
  } catch (cause) {
    throw new MlsError("BAD_MESSAGE", "that cannot be sealed to this key", { cause });
  }
}

/** Opens what `sealTo` made for this key and purpose. Rejects with `MlsError` BAD_MESSAGE, TOO_LARGE. */
export async function openSealed(
  { privateKey }: Pick<SealingKeyPair, "privateKey">,
  purpose: string,
  sealed: Uint8Array,
  engine: CryptoEngine = webEngine,
): Promise<Uint8Array<ArrayBuffer>> {
  if (sealed.length > plaintextBytesMax + sealOverheadBytes)
    throw new MlsError("TOO_LARGE", "a sealed secret of such a size is not opened");
  if (sealed.length < sealOverheadBytes)
    throw new MlsError("BAD_MESSAGE", "a sealed secret is cut off");
  try {
    const opened = await hpke(engine).open(
      privateKey,
      sealed.subarray(0, encapsulatedBytes),
      infoOf(purpose),
      nothing,
      sealed.subarray(encapsulatedBytes),
    );
    return new Uint8Array(opened);
  } catch (cause) {
    throw new MlsError("BAD_MESSAGE", "this was not sealed for this key and purpose", { cause });
  }
}

const nothing = new Uint8Array();

function hpke(engine: CryptoEngine): HpkeBase {
  return hpkeOf(engine, { kem: "X-Wing", hash: "SHA-256", aead: "AES256GCM" });
}

function infoOf(purpose: string): Uint8Array {
  return new TextEncoder().encode(`sotto-seal-v1\0${purpose}`);
}
