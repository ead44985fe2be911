/**
 * HKDF-SHA256 (RFC 5869): `length` bytes (at most 8,160) for one purpose, which `info` names. The salt is public
 * and may be empty.
 */
export async function hkdf(
  secret: Uint8Array,
  info: string,
  length: number,
  salt: Uint8Array = new Uint8Array(),
): Promise<Uint8Array<ArrayBuffer>> {
  const raw = secret as Uint8Array<ArrayBuffer>;
  const key = await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveBits"]);
  const parameters = {
    name: "HKDF",
    hash: "SHA-256",
    salt: salt as Uint8Array<ArrayBuffer>,
    info: new TextEncoder().encode(info),
  };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 8 * length));
}
