import { sha256 as hashSmall } from "@noble/hashes/sha2.js";

/** Node's hash in one call, where this is Node: several for every message. */
const hashAtOnce = globalThis.process?.getBuiltinModule?.("node:crypto")?.hash;
/** Up to this a hash in JavaScript is done before a call of WebCrypto has crossed to its thread and back. */
const smallBytesMax = 2048;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Text of UTF-8 bytes; throws `TypeError` where they are not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Compares public values; not for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** SHA-256, by the platform where that is faster. */
export async function sha256(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  if (hashAtOnce) return new Uint8Array(hashAtOnce("sha256", bytes, "buffer"));
  if (bytes.length <= smallBytesMax) return new Uint8Array(hashSmall(bytes));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/** Random bytes from the platform. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}
