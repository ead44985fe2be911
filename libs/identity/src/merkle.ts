import { sha256 } from "./digest.ts";

/** Hash of a leaf: SHA-256(0x00 || bytes) (RFC 9162 section 2.1.1). */
export async function leafHash(bytes: Uint8Array): Promise<Uint8Array> {
  const input = new Uint8Array(1 + bytes.length);
  input.set(bytes, 1);
  return await sha256(input);
}

/** Hash of two subtrees: SHA-256(0x01 || left || right). */
export async function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Uint8Array> {
  const input = new Uint8Array(1 + left.length + right.length);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + left.length);
  return await sha256(input);
}

/** The root of a perfect subtree. */
export interface MerklePeak {
  readonly hash: Uint8Array;
  /** A power of two. */
  readonly leaves: number;
}

/** What a tree becomes with one leaf more. */
export interface MerkleGrowth {
  /** Size of the tree that it grows from. */
  readonly from: number;
  readonly peaks: readonly MerklePeak[];
}

/** A Merkle tree that only grows; it keeps the roots of its perfect subtrees, largest first. */
export class MerkleTree {
  #peaks: readonly MerklePeak[];

  /** Throws `RangeError` where `peaks`, those of a tree before, are not strictly smaller powers of two. */
  constructor(peaks: readonly MerklePeak[] = []) {
    for (const [at, { hash, leaves }] of peaks.entries()) {
      const before = peaks[at - 1]?.leaves ?? Number.MAX_SAFE_INTEGER;
      if (hash.length !== 32 || !Number.isInteger(Math.log2(leaves)) || leaves >= before)
        throw new RangeError("not the subtrees of a Merkle tree");
    }
    this.#peaks = peaks;
  }

  /** Number of leaves. */
  get size(): number {
    return this.#peaks.reduce((sum, { leaves }) => sum + leaves, 0);
  }

  /** Roots of the perfect subtrees: all that it takes to grow on. */
  get peaks(): readonly MerklePeak[] {
    return this.#peaks;
  }

  /** What the tree becomes with this leaf; the tree itself stays as it is. */
  async grow(bytes: Uint8Array): Promise<MerkleGrowth> {
    const from = this.size;
    const peaks = [...this.#peaks];
    let hash = await leafHash(bytes);
    let leaves = 1;
    for (let last = peaks.at(-1); last?.leaves === leaves; last = peaks.at(-1)) {
      peaks.pop();
      hash = await nodeHash(last.hash, hash);
      leaves *= 2;
    }
    peaks.push({ hash, leaves });
    return { from, peaks };
  }

  /** Becomes what `grow` answered, in one step. Throws `RangeError` where it has grown meanwhile. */
  take({ from, peaks }: MerkleGrowth): void {
    if (from !== this.size) throw new RangeError("the tree has grown meanwhile");
    this.#peaks = peaks;
  }

  /** Appends a leaf's bytes; one after another. */
  async append(bytes: Uint8Array): Promise<void> {
    this.take(await this.grow(bytes));
  }

  /** The root over the leaves at the time of the call; of an empty tree, SHA-256 of nothing. */
  async root(): Promise<Uint8Array> {
    let root: Uint8Array | undefined;
    for (const { hash } of this.#peaks.toReversed())
      root = root ? await nodeHash(hash, root) : hash;
    return root ?? (await sha256(new Uint8Array()));
  }
}
