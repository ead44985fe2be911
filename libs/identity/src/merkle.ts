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

/** What a tree becomes with one leaf more: the new hash of each level that gets one, leaves first. */
export interface MerkleGrowth {
  /** Size of the tree that it grows from. */
  readonly from: number;
  readonly hashes: readonly Uint8Array[];
}

/**
 * Hashes of the perfect subtrees: `levels[k][i]` is over the 2^k leaves from i * 2^k on. A hash that is not
 * known is `undefined`.
 */
export type MerkleLevels = readonly (readonly (Uint8Array | undefined)[])[];

/** A Merkle tree that only grows (RFC 9162 section 2.1). It keeps the hash of every perfect subtree. */
export class MerkleTree {
  readonly #levels: (Uint8Array | undefined)[][];
  #size: number;

  /** Throws `RangeError` where `levels`, those of a tree before, do not fit together. */
  constructor(levels: MerkleLevels = []) {
    this.#levels = levels.map((level) => [...level]);
    this.#size = levels[0]?.length ?? 0;
    const height = this.#size === 0 ? 0 : Math.floor(Math.log2(this.#size)) + 1;
    if (levels.length !== height) throw new RangeError("not the levels of a Merkle tree");
    for (const [height, level] of levels.entries()) {
      const sized = level.every((hash) => hash === undefined || hash.length === 32);
      if (!sized || level.length !== Math.floor(this.#size / 2 ** height))
        throw new RangeError("not the levels of a Merkle tree");
    }
    for (const [from, leaves] of peaksOf(this.#size)) this.#subtree(from, leaves);
  }

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  /** All hashes of perfect subtrees: all that it takes to grow on and to prove. */
  get levels(): MerkleLevels {
    return this.#levels;
  }

  /** What the tree becomes with this leaf; the tree itself stays as it is. */
  async grow(bytes: Uint8Array): Promise<MerkleGrowth> {
    const from = this.#size;
    const hashes = [await leafHash(bytes)];
    for (let leaves = 1; (from + 1) % (2 * leaves) === 0; leaves *= 2) {
      const right = hashes.at(-1) as Uint8Array;
      hashes.push(await nodeHash(this.#subtree(from + 1 - 2 * leaves, leaves), right));
    }
    return { from, hashes };
  }

  /** Becomes what `grow` answered, in one step. Throws `RangeError` where it has grown meanwhile. */
  take({ from, hashes }: MerkleGrowth): void {
    if (from !== this.#size) throw new RangeError("the tree has grown meanwhile");
    for (const [height, hash] of hashes.entries()) {
      this.#levels[height] ??= [];
      this.#levels[height]?.push(hash);
    }
    this.#size++;
  }

  /** Appends a leaf's bytes; one after another. */
  async append(bytes: Uint8Array): Promise<void> {
    this.take(await this.grow(bytes));
  }

  /**
   * The root over the first `size` leaves, by default all at the time of the call; of no leaves, SHA-256 of nothing.
   * Rejects with `RangeError` for a size that the tree has not.
   */
  async root(size: number = this.#size): Promise<Uint8Array> {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.#size)
      throw new RangeError(`the tree has ${this.#size} leaves, not ${size}`);
    // Looked up before anything waits.
    const peaks = peaksOf(size).map(([from, leaves]) => this.#subtree(from, leaves));
    let root: Uint8Array | undefined;
    for (const hash of peaks.toReversed()) root = root ? await nodeHash(hash, root) : hash;
    return root ?? (await sha256(new Uint8Array()));
  }

  #subtree(from: number, leaves: number): Uint8Array {
    const hash = this.#levels[Math.log2(leaves)]?.[from / leaves];
    if (!hash) throw new RangeError("the tree does not hold what lies before its beginning");
    return hash;
  }
}

/** The perfect subtrees of a tree, largest first, as (first leaf, leaves). */
function peaksOf(size: number): [from: number, leaves: number][] {
  const peaks: [number, number][] = [];
  for (let from = 0; from < size; ) {
    const leaves = 2 ** Math.floor(Math.log2(size - from));
    peaks.push([from, leaves]);
    from += leaves;
  }
  return peaks;
}
