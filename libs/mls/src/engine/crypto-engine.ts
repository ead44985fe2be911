/** What a primitive answers: at once, or later. */
export type Soon<Value> = Value | Promise<Value>;

export type HashName = "SHA-256" | "SHA-512";

/** A raw key pair of a KEM. */
export interface KemKeyPair {
  readonly publicKey: Uint8Array;
  /** Secret. */
  readonly privateKey: Uint8Array;
}

/** A shared secret, and what carries it to the owner of the private key. */
export interface Encapsulated {
  /** Secret, 32 bytes. */
  readonly sharedSecret: Uint8Array;
  readonly encapsulated: Uint8Array;
}

/** Diffie-Hellman on Curve25519 (RFC 7748). Keys and results are 32 bytes. */
export interface X25519 {
  publicKeyOf(privateKey: Uint8Array): Soon<Uint8Array>;
  /** Throws or rejects where the result would be zero: a public key of low order. */
  agree(privateKey: Uint8Array, publicKey: Uint8Array): Soon<Uint8Array>;
}

/**
 * X-Wing (draft-connolly-cfrg-xwing-kem): X25519 and ML-KEM-768. Private keys are seeds of 32 bytes, public keys
 * have 1,216 bytes, what is encapsulated has 1,120.
 */
export interface XWing {
  publicKeyOf(seed: Uint8Array): Soon<Uint8Array>;
  /** The seed of keying material: SHAKE-256, 32 bytes. */
  seedOf(keyingMaterial: Uint8Array): Soon<Uint8Array>;
  /** Throws or rejects where the public key is none. */
  encapsulate(publicKey: Uint8Array): Soon<Encapsulated>;
  /** Another secret where the ciphertext was altered (implicit rejection); throws or rejects where it is none. */
  decapsulate(seed: Uint8Array, encapsulated: Uint8Array): Soon<Uint8Array>;
}

/**
 * The primitives that MLS stands on, as one implementation has them. Every engine gives the same bytes for the same
 * bytes and passes the conformance suite, so members on different engines share groups. Keys are raw bytes; an
 * engine may keep what it imported of them. It neither alters nor keeps the bytes that it is given, but may
 * keep the imported form of a private key as long as the caller's array lives.
 */
export interface CryptoEngine {
  readonly name: string;
  digest(hash: HashName, data: Uint8Array): Soon<Uint8Array>;
  /** HMAC (RFC 2104). */
  hmac(hash: HashName, key: Uint8Array, data: Uint8Array): Soon<Uint8Array>;
  /** AES-GCM with a key of 16 or 32 bytes and a nonce of 12; the tag of 16 bytes follows the ciphertext. */
  seal(
    key: Uint8Array,
    nonce: Uint8Array,
    additional: Uint8Array,
    plaintext: Uint8Array,
  ): Soon<Uint8Array>;
  /** Throws or rejects where the tag is wrong. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    additional: Uint8Array,
    sealed: Uint8Array,
  ): Soon<Uint8Array>;
  /** Ed25519 (RFC 8032) by a seed of 32 bytes: 64 bytes. */
  sign(seed: Uint8Array, message: Uint8Array): Soon<Uint8Array>;
  /** False for whatever is no valid signature, key or length. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Soon<boolean>;
  /** The Ed25519 public key of a seed. */
  signaturePublicKeyOf(seed: Uint8Array): Soon<Uint8Array>;
  readonly x25519: X25519;
  readonly xWing: XWing;
  randomBytes(length: number): Uint8Array;
}
