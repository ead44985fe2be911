/** What stands before the raw bytes of a private key in PKCS #8 (RFC 8410; ML-KEM: RFC 9935, the seed alone). */
export const privatePrefix = {
  ed25519: fromHex("302e020100300506032b657004220420"),
  x25519: fromHex("302e020100300506032b656e04220420"),
  mlKem768: fromHex("3054020100300b060960864801650304040204428040"),
} as const;

/** What stands before the raw bytes of a public key in its SubjectPublicKeyInfo. */
export const publicPrefix = {
  ed25519: fromHex("302a300506032b6570032100"),
  x25519: fromHex("302a300506032b656e032100"),
  mlKem768: fromHex("308204b2300b0609608648016503040402038204a100"),
} as const;

/** The bytes, where they are that many. Throws `RangeError`. */
export function lengthOf(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes instead of ${length}`);
  return bytes;
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}
