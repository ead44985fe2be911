import { fromHex, toHex } from "@sotto/protocol";
import { describe, expect, test } from "vitest";
import { readVectorFile, readVectors, type Vector } from "../../protocol/test/vector-file.ts";
import { leafHash, MerkleTree } from "./merkle.ts";
import {
  type ConsistencyClaim,
  type InclusionClaim,
  verifyConsistency,
  verifyInclusion,
} from "./merkle-proof.ts";

const sizeMax = 70;

async function bigTree() {
  const tree = new MerkleTree();
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < sizeMax; at++) {
    const bytes = Uint8Array.of(at);
    leaves.push(await leafHash(bytes));
    await tree.append(bytes);
  }
  const roots = await Promise.all(
    Array.from({ length: sizeMax + 1 }, (_, size) => tree.root(size)),
  );
  return { tree, leaves, roots };
}

/** Everything that a proof can become by one fault: a hash altered, left out, added, or in another place. */
function faulty(proof: readonly Uint8Array[]): Uint8Array[][] {
  const other = new Uint8Array(32).fill(7);
  const all = [
    [...proof, other],
    [other, ...proof],
    [...proof, new Uint8Array(31)],
  ];
  for (const [at, hash] of proof.entries()) {
    all.push(proof.toSpliced(at, 1));
    const flipped = hash.slice();
    flipped[at % 32] = (flipped[at % 32] ?? 0) ^ 1;
    all.push(proof.toSpliced(at, 1, flipped));
    const next = proof[at + 1];
    if (next) all.push(proof.toSpliced(at, 2, next, hash));
  }
  return all;
}

test("every leaf of every tree is proven, and by nothing but its proof", async () => {
  const { tree, leaves, roots } = await bigTree();
  for (let size = 1; size <= sizeMax; size++) {
    for (let index = 0; index < size; index++) {
      const proof = await tree.inclusionProof(index, size);
      const [leaf, root] = [leaves[index], roots[size]];
      if (!leaf || !root) throw new Error("no such leaf");
      const claim: InclusionClaim = { leaf, index, size, root, proof };
      expect(await verifyInclusion(claim), `${index} of ${size}`).toBe(true);
      const bad: InclusionClaim[] = [
        { ...claim, leaf: leaves[(index + 1) % sizeMax] ?? leaf },
        { ...claim, root: roots[size - 1] ?? root },
        { ...claim, index: size },
        { ...claim, index: -1 },
        ...(index > 0 ? [{ ...claim, index: index - 1 }] : []),
      ];
      if (size % 5 === 0) for (const wrong of faulty(proof)) bad.push({ ...claim, proof: wrong });
      for (const wrong of bad) expect(await verifyInclusion(wrong)).toBe(false);
    }
  }
}, 60_000);

test("every tree is proven to begin with every smaller one, and by nothing but the proof", async () => {
  const { tree, roots } = await bigTree();
  for (let second = 0; second <= sizeMax; second++) {
    for (let first = 0; first <= second; first++) {
      const proof = await tree.consistencyProof(first, second);
      const [firstRoot, secondRoot] = [roots[first], roots[second]];
      if (!firstRoot || !secondRoot) throw new Error("no such tree");
      const claim: ConsistencyClaim = { first, second, firstRoot, secondRoot, proof };
      expect(await verifyConsistency(claim), `${first} of ${second}`).toBe(true);
      const other = roots[first + 1] ?? roots[0] ?? firstRoot;
      const bad: ConsistencyClaim[] = [
        { ...claim, firstRoot: other },
        // Of the tree that begins with the empty one nothing is said.
        ...(first > 0
          ? [{ ...claim, secondRoot: roots[(second + 1) % sizeMax] ?? firstRoot }]
          : []),
        { ...claim, first: second + 1 },
      ];
      if (second % 5 === 0) for (const wrong of faulty(proof)) bad.push({ ...claim, proof: wrong });
      for (const wrong of bad) expect(await verifyConsistency(wrong)).toBe(false);
    }
  }
}, 60_000);

test("what a tree has not is not proven", async () => {
  const { tree } = await bigTree();
  for (const [index, size] of [
    [0, 71],
    [5, 5],
    [-1, 5],
    [0.5, 5],
    [0, 0],
  ] as const)
    await expect(tree.inclusionProof(index, size)).rejects.toThrow(RangeError);
  for (const [first, second] of [
    [1, 71],
    [6, 5],
    [-1, 5],
    [0.5, 5],
  ] as const)
    await expect(tree.consistencyProof(first, second)).rejects.toThrow(RangeError);
});

interface ProofVector extends Vector {
  readonly kind: "inclusion" | "consistency";
  readonly index: number;
  readonly size: number;
  readonly leaf: string;
  readonly root: string;
  readonly first: number;
  readonly second: number;
  readonly firstRoot: string;
  readonly secondRoot: string;
  readonly proof: readonly string[];
  readonly expect: "valid" | "invalid";
}

interface MerkleVectors {
  readonly leaves: readonly string[];
  readonly roots: readonly string[];
}

describe("merkle.json", () => {
  const { leaves, roots } = readVectorFile<MerkleVectors>("merkle.json");

  async function tree() {
    const built = new MerkleTree();
    for (const leaf of leaves) await built.append(fromHex(leaf));
    return built;
  }

  test("the roots of all sizes", async () => {
    const built = await tree();
    for (const [size, root] of roots.entries()) expect(toHex(await built.root(size))).toBe(root);
  });

  test.each(readVectors<ProofVector>("merkle.json"))("$title", async (vector) => {
    const proof = vector.proof.map((hash) => fromHex(hash));
    const valid = vector.expect === "valid";
    if (vector.kind === "inclusion") {
      const { index, size } = vector;
      const leaf = await leafHash(fromHex(vector.leaf));
      const claim = { leaf, index, size, root: fromHex(vector.root), proof };
      expect(await verifyInclusion(claim)).toBe(valid);
      if (valid) expect(await (await tree()).inclusionProof(index, size)).toEqual(proof);
      return;
    }
    const { first, second } = vector;
    const [firstRoot, secondRoot] = [fromHex(vector.firstRoot), fromHex(vector.secondRoot)];
    const claim = { first, second, firstRoot, secondRoot, proof };
    expect(await verifyConsistency(claim)).toBe(valid);
    if (valid) expect(await (await tree()).consistencyProof(first, second)).toEqual(proof);
  });
});
