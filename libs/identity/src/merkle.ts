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
    this.#reached(size);
    return await this.#range(0, size);
  }

  /**
   * What shows that the leaf at `index` is in the tree of the first `size` leaves (RFC 9162 section 2.1.3.1), from
   * the leaf up. Rejects with `RangeError` where the tree has not so many, or the leaf is not among them.
   */
  async inclusionProof(index: number, size: number): Promise<Uint8Array[]> {
    this.#reached(size);
    if (!Number.isSafeInteger(index) || index < 0 || index >= size)
      throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
    const siblings: Promise<Uint8Array>[] = [];
    for (let from = 0, to = size; to - from > 1; ) {
      const middle = from + splitOf(to - from);
      siblings.push(index < middle ? this.#range(middle, to) : this.#range(from, middle));
      if (index < middle) to = middle;
      else from = middle;
    }
    return await Promise.all(siblings.toReversed());
  }

  /**
   * What shows that the tree of the first `second` leaves begins with that of the first `first` (RFC 9162 section
   * 2.1.4.1); empty where one of them is empty or both are the same. Rejects with `RangeError` where the tree has
   * not so many leaves, or `first` is the larger.
   */
  async consistencyProof(first: number, second: number): Promise<Uint8Array[]> {
    this.#reached(second);
    if (!Number.isSafeInteger(first) || first < 0 || first > second)
      throw new RangeError(`a tree of ${second} leaves does not begin with one of ${first}`);
    if (first === 0 || first === second) return [];
    const hashes: Promise<Uint8Array>[] = [];
    let from = 0;
    let to = second;
    while (first !== to) {
      const middle = from + splitOf(to - from);
      hashes.push(first <= middle ? this.#range(middle, to) : this.#range(from, middle));
      if (first <= middle) to = middle;
      else from = middle;
    }
    // The subtree at which the smaller tree ends: known to whoever knows its root, where it is all of that tree.
    if (from > 0) hashes.push(this.#range(from, to));
    return await Promise.all(hashes.toReversed());
  }

  #reached(size: number): void {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.#size)
      throw new RangeError(`the tree has ${this.#size} leaves, not ${size}`);
  }

  /** Hash over the leaves from `from` on and before `to`, as they lie in the tree. */
  async #range(from: number, to: number): Promise<Uint8Array> {
    // Looked up before anything waits.
    const peaks = peaksOf(to - from).map(([at, leaves]) => this.#subtree(from + at, leaves));
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

/** The largest power of two below `size`: where a tree of more than one leaf is split. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
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
