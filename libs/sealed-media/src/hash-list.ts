import { join } from "./derived-keys.ts";
import type { SealCrypto } from "./seal-crypto.ts";

const hashBytes = 32;

/** Merkle root (RFC 9162 section 2.1) over the SHA-256 of every block. */
export async function rootOf(
  hashes: readonly Uint8Array[],
  crypto: SealCrypto,
): Promise<Uint8Array> {
  if (hashes.length === 0) return await crypto.sha256(new Uint8Array());
  let level = await Promise.all(hashes.map((hash) => crypto.sha256(join(Uint8Array.of(0), hash))));
  while (level.length > 1) {
    const next: (Promise<Uint8Array> | Uint8Array)[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = [level[at] as Uint8Array, level[at + 1]];
      // A node without a sibling rises as it is: the shape of RFC 9162 for any number of leaves.
      next.push(right ? crypto.sha256(join(Uint8Array.of(1), left, right)) : left);
    }
    level = await Promise.all(next);
  }
  return level[0] as Uint8Array;
}

/** Hashes one after another. */
export function encodeHashList(hashes: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return join(...hashes);
}

/** The hashes of `encodeHashList`; `undefined` where the length does not fit. */
export function decodeHashList(bytes: Uint8Array): Uint8Array[] | undefined {
  if (bytes.length % hashBytes !== 0) return undefined;
  return Array.from({ length: bytes.length / hashBytes }, (_, i) =>
    bytes.slice(i * hashBytes, (i + 1) * hashBytes),
  );
}
