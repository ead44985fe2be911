import type { SealCrypto } from "./seal-crypto.ts";
import { saltBytes } from "./sizes.ts";

/** What C2SP chunked-encryption derives from an object's key, salt and context. */
export interface DerivedKeys {
  readonly key: Uint8Array;
  readonly baseNonce: Uint8Array;
  readonly commitment: Uint8Array;
}

const encoder = new TextEncoder();

/** Cobblestone-256: HKDF-Expand with SHA-512 for AES-256-GCM. Throws `RangeError` for other lengths. */
export async function deriveKeys(
  inputKey: Uint8Array,
  salt: Uint8Array,
  context: Uint8Array,
  crypto: SealCrypto,
): Promise<DerivedKeys> {
  if (inputKey.length !== 32) throw new RangeError("an object's key has 32 bytes");
  if (salt.length !== saltBytes) throw new RangeError(`an object's salt has ${saltBytes} bytes`);
  const label = encoder.encode("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0");
  const info = join(label, salt, context);
  // 76 bytes are needed and one block of SHA-512 has 64: two rounds (RFC 5869 section 2.3).
  const first = await crypto.hmacSha512(inputKey, join(info, Uint8Array.of(1)));
  const second = await crypto.hmacSha512(inputKey, join(first, info, Uint8Array.of(2)));
  const output = join(first, second);
  return {
    key: output.slice(0, 32),
    baseNonce: output.slice(32, 44),
    commitment: output.slice(44, 76),
  };
}

/** The nonce of chunk `index`: the base nonce XORed with the number, big-endian. */
export function chunkNonce(baseNonce: Uint8Array, index: number): Uint8Array {
  const nonce = baseNonce.slice();
  let rest = index;
  for (let at = nonce.length - 1; rest > 0; at--) {
    nonce[at] = (nonce[at] ?? 0) ^ (rest & 0xff);
    rest = Math.floor(rest / 256);
  }
  return nonce;
}

/** Bytes one after another. */
export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
