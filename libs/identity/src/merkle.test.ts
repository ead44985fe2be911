import { fromHex, toHex } from "@sotto/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sha256 } from "./digest.ts";
import { leafHash, MerkleTree, nodeHash } from "./merkle.ts";

/** Leaves and roots of the Certificate Transparency reference implementation. */
const leaves = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
].map((hex) => fromHex(hex));
const roots = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/** The root by the definition in RFC 9162 section 2.1.1. */
async function rootOf(list: readonly Uint8Array[]): Promise<Uint8Array> {
  const [first] = list;
  if (!first) return await sha256(new Uint8Array());
  if (list.length === 1) return await leafHash(first);
  const split = 2 ** Math.ceil(Math.log2(list.length) - 1);
  return await nodeHash(await rootOf(list.slice(0, split)), await rootOf(list.slice(split)));
}

async function treeOf(list: readonly Uint8Array[]): Promise<MerkleTree> {
  const tree = new MerkleTree();
  for (const leaf of list) await tree.append(leaf);
  return tree;
}

test("roots are those of RFC 9162", async () => {
  for (const [size, root] of roots.entries()) {
    const tree = await treeOf(leaves.slice(0, size));
    expect(tree.size).toBe(size);
    expect(toHex(await tree.root())).toBe(root);
  }
});

test("growing leaf by leaf gives the root of the definition, for any leaves", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 40 }), async (list) => {
      expect(await (await treeOf(list)).root()).toEqual(await rootOf(list));
    }),
    { numRuns: 50 },
  );
});

test("two orders of the same leaves have two roots", async () => {
  const forwards = await (await treeOf(leaves)).root();
  const swapped = await (await treeOf(leaves.toReversed())).root();
  expect(toHex(forwards)).not.toBe(toHex(swapped));
});

test("a root stands for the leaves of its moment, also while the tree grows", async () => {
  const tree = await treeOf(leaves.slice(0, 3));
  const growth = await tree.grow(leaves[3] as Uint8Array);
  const asked = tree.root();
  tree.take(growth);
  expect(toHex(await asked)).toBe(roots[3]);
  expect(toHex(await tree.root())).toBe(roots[4]);
});

test("growth that another leaf overtook is refused, and the tree stays", async () => {
  const tree = await treeOf(leaves.slice(0, 3));
  const late = await tree.grow(new Uint8Array([1]));
  await tree.append(leaves[3] as Uint8Array);
  expect(() => tree.take(late)).toThrow(RangeError);
  expect(toHex(await tree.root())).toBe(roots[4]);
});

test("a tree grows on from its hashes, and from nothing that are none", async () => {
  const begun = await treeOf(leaves.slice(0, 5));
  const continued = new MerkleTree(begun.levels);
  for (const leaf of leaves.slice(5)) await continued.append(leaf);
  expect(toHex(await continued.root())).toBe(roots[8]);
  expect(begun.size).toBe(5);
  const hash = new Uint8Array(32);
  for (const levels of [
    [[]],
    [[hash, hash]],
    [
      [hash, hash],
      [hash, hash],
    ],
    [[hash, hash], [hash], [hash]],
    [[new Uint8Array(31)]],
    [[hash, hash], [undefined]],
    [[hash, hash, undefined], [hash]],
  ]) {
    expect(() => new MerkleTree(levels)).toThrow(RangeError);
  }
});

test("a tree of which only the largest subtrees are known grows on, and has no earlier root", async () => {
  const { levels } = await treeOf(leaves.slice(0, 6));
  const [, pairs, fours] = levels;
  const unknown = new Array<undefined>(6).fill(undefined);
  const known = [unknown, [undefined, undefined, pairs?.[2]], [...(fours ?? [])]];
  const tree = new MerkleTree(known);
  expect(toHex(await tree.root())).toBe(roots[6]);
  for (const leaf of leaves.slice(6)) await tree.append(leaf);
  expect(toHex(await tree.root())).toBe(roots[8]);
  expect(toHex(await tree.root(6))).toBe(roots[6]);
  await expect(tree.root(5)).rejects.toThrow(RangeError);
});

test("the root of every earlier size is at hand", async () => {
  const tree = await treeOf(leaves);
  for (const [size, root] of roots.entries()) expect(toHex(await tree.root(size))).toBe(root);
  for (const size of [9, -1, 0.5]) await expect(tree.root(size)).rejects.toThrow(RangeError);
});
