import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";

const nonceBytes = 24;
const halfBytes = 12;
const tagBytes = 16;
const countBytes = 6;
/** Derived keys that are remembered. */
const derivedKeysMax = 256;

/** How many bytes longer sealed bytes are. */
export const xaesOverheadBytes = nonceBytes + tagBytes;

/**
 * XAES-256-GCM (C2SP): AES-256-GCM under a key that is derived from the first half of a 192-bit nonce. Here
 * that half is chance, anew for each instance, and the other half counts: so no two messages share a nonce,
 * however long the key is used, where plain AES-GCM with chance alone would allow 2^32 messages. Keys are kept
 * outside of JavaScript's heap.
 */
export class XaesGcm {
  readonly #key: KeyObject;
  /** K1 of CMAC, by which the two input blocks are masked. */
  readonly #mask: Buffer;
  readonly #derived = new Map<string, KeyObject>();
  readonly #next = Buffer.concat([randomBytes(halfBytes), Buffer.alloc(halfBytes)]);
  readonly #own: KeyObject;
  #count = 0;

  /** `key` has 32 bytes and stays the caller's. */
  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
    this.#mask = doubled(this.#blocks(Buffer.alloc(16)));
    this.#own = this.#derive(this.#next);
  }

  /** nonce ‖ ciphertext ‖ tag. A nonce is given only where a specification's vector says which. */
  seal(plain: Uint8Array, associated: Uint8Array, given?: Uint8Array): Uint8Array {
    const nonce = given ?? this.#nonce();
    const key = given ? this.#derive(given) : this.#own;
    const cipher = createCipheriv("aes-256-gcm", key, nonce.subarray(halfBytes));
    cipher.setAAD(associated);
    const sealed = new Uint8Array(xaesOverheadBytes + plain.length);
    sealed.set(nonce.subarray(0, nonceBytes));
    sealed.set(cipher.update(plain), nonceBytes);
    cipher.final();
    sealed.set(cipher.getAuthTag(), nonceBytes + plain.length);
    return sealed;
  }

  /** What was sealed; `undefined` where a bit of it, of the associated bytes or of the key is another. */
  open(sealed: Uint8Array, associated: Uint8Array): Buffer | undefined {
    if (sealed.length < xaesOverheadBytes) return undefined;
    const end = sealed.length - tagBytes;
    const nonce = sealed.subarray(halfBytes, nonceBytes);
    const cipher = createDecipheriv("aes-256-gcm", this.#derive(sealed), nonce, {
      authTagLength: tagBytes,
    });
    cipher.setAAD(associated);
    cipher.setAuthTag(sealed.subarray(end));
    const plain = cipher.update(sealed.subarray(nonceBytes, end));
    try {
      cipher.final();
      return plain;
    } catch {
      plain.fill(0);
      return undefined;
    }
  }

  #nonce(): Buffer {
    // 2^48 messages of one instance; Node refuses a number that is larger.
    this.#next.writeUIntBE(this.#count++, nonceBytes - countBytes, countBytes);
    return this.#next;
  }

  /** The key for a nonce that begins with these bytes. */
  #derive(nonce: Uint8Array): KeyObject {
    const half = Buffer.from(nonce.buffer, nonce.byteOffset, halfBytes);
    const name = half.toString("latin1");
    let key = this.#derived.get(name);
    if (!key) {
      const blocks = Buffer.alloc(32);
      for (const [at, counter] of [1, 2].entries()) {
        blocks.set([0, counter, 0x58, 0], at * 16);
        blocks.set(half, at * 16 + 4);
      }
      for (let i = 0; i < 32; i++) blocks[i] = (blocks[i] ?? 0) ^ (this.#mask[i % 16] ?? 0);
      const bytes = this.#blocks(blocks);
      key = createSecretKey(bytes);
      bytes.fill(0);
      if (this.#derived.size === derivedKeysMax) this.#derived.clear();
      this.#derived.set(name, key);
    }
    return key;
  }

  #blocks(bytes: Buffer): Buffer {
    return createCipheriv("aes-256-ecb", this.#key, null).setAutoPadding(false).update(bytes);
  }
}

/** Twice a block in GF(2^128), as CMAC makes its first subkey. */
function doubled(block: Buffer): Buffer {
  const out = Buffer.alloc(16);
  for (let i = 0; i < 16; i++) out[i] = ((block[i] ?? 0) << 1) | ((block[i + 1] ?? 0) >> 7);
  if ((block[0] ?? 0) & 0x80) out[15] = (out[15] ?? 0) ^ 0x87;
  return out;
}
