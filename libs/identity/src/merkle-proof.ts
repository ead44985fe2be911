import { sha256 } from "./digest.ts";
import { nodeHash } from "./merkle.ts";

/** A claim that a leaf is in a tree, and what is to show it. */
export interface InclusionClaim {
  /** `leafHash` of the leaf. */
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** True where the proof shows that the leaf is at its place in the tree (RFC 9162 section 2.1.3.2). Never rejects. */
export async function verifyInclusion(claim: InclusionClaim): Promise<boolean> {
  const { index, size, root, proof } = claim;
  if (!isSize(index) || !isSize(size) || index >= size || !allHashes(proof)) return false;
  let at = index;
  let last = size - 1;
  let hash = claim.leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      hash = await nodeHash(sibling, hash);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = await nodeHash(hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && equal(hash, root);
}

/** A claim that one tree begins with another, and what is to show it. */
export interface ConsistencyClaim {
  readonly first: number;
  readonly second: number;
  readonly firstRoot: Uint8Array;
  readonly secondRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * True where the proof shows that the larger tree begins with the smaller one (RFC 9162 section 2.1.4.2). Every
 * tree begins with the empty one, and with itself, by an empty proof. Never rejects.
 */
export async function verifyConsistency(claim: ConsistencyClaim): Promise<boolean> {
  const { first, second, firstRoot, secondRoot, proof } = claim;
  if (!isSize(first) || !isSize(second) || first > second || !allHashes(proof)) return false;
  if (first === second) return proof.length === 0 && equal(firstRoot, secondRoot);
  if (first === 0) return proof.length === 0 && equal(firstRoot, await sha256(new Uint8Array()));
  // A smaller tree that is one perfect subtree is not repeated in the proof.
  const path = Number.isInteger(Math.log2(first)) ? [firstRoot, ...proof] : [...proof];
  const [begin, ...rest] = path;
  if (!begin) return false;
  let at = first - 1;
  let last = second - 1;
  while (isOdd(at)) [at, last] = [half(at), half(last)];
  let [one, other] = [begin, begin];
  for (const hash of rest) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      one = await nodeHash(hash, one);
      other = await nodeHash(hash, other);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else other = await nodeHash(other, hash);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && equal(one, firstRoot) && equal(other, secondRoot);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function allHashes(proof: readonly Uint8Array[]): boolean {
  return proof.every(({ length }) => length === 32);
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
