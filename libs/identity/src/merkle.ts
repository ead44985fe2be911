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

/** A Merkle tree that only grows; it keeps the roots of its perfect subtrees, largest first. */
export class MerkleTree {
  #size = 0;
  readonly #peaks: { readonly hash: Uint8Array; readonly leaves: number }[] = [];

  get size(): number {
    return this.#size;
  }

  /** Appends a leaf's bytes. */
  async append(bytes: Uint8Array): Promise<void> {
    let hash = await leafHash(bytes);
    let leaves = 1;
    for (let last = this.#peaks.at(-1); last?.leaves === leaves; last = this.#peaks.at(-1)) {
      this.#peaks.pop();
      hash = await nodeHash(last.hash, hash);
      leaves *= 2;
    }
    this.#peaks.push({ hash, leaves });
    this.#size++;
  }

  /** The root over all leaves so far; of an empty tree, SHA-256 of nothing. */
  async root(): Promise<Uint8Array> {
    let root: Uint8Array | undefined;
    for (const { hash } of [...this.#peaks].reverse())
      root = root ? await nodeHash(hash, root) : hash;
    return root ?? (await sha256(new Uint8Array()));
  }
}
