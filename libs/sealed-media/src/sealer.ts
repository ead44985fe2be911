import { chunkNonce, type DerivedKeys, deriveKeys, join } from "./derived-keys.ts";
import { rootOf } from "./hash-list.ts";
import { type ChunkCipher, type SealCrypto, webSealCrypto } from "./seal-crypto.ts";
import { blockBytes, chunkBytes, headerBytes, sealedChunkBytes } from "./sizes.ts";

export interface SealOptions {
  /** 32 bytes, random, for this object alone. */
  readonly key: Uint8Array;
  /** 24 bytes, random. */
  readonly salt: Uint8Array;
  /** What the object belongs to; opening under another context fails. */
  readonly context: Uint8Array;
  readonly crypto?: SealCrypto;
}

/** Chunks sealed in one go, so that the platform may work on them at the same time. */
const batchChunks = 64;

/**
 * Seals a stream into blocks of 1 MiB (the last one shorter). The same key, salt, context and plaintext give
 * the same bytes, so that an interrupted upload can go on in the middle.
 */
export class Sealer {
  readonly #crypto: SealCrypto;
  readonly #cipher: ChunkCipher;
  readonly #keys: DerivedKeys;
  readonly #salt: Uint8Array;
  readonly #hashes: Uint8Array[] = [];
  #sealedBytes = 0;

  private constructor(options: SealOptions, keys: DerivedKeys, cipher: ChunkCipher) {
    this.#crypto = options.crypto ?? webSealCrypto;
    this.#salt = options.salt;
    this.#keys = keys;
    this.#cipher = cipher;
  }

  static async create(options: SealOptions): Promise<Sealer> {
    const crypto = options.crypto ?? webSealCrypto;
    const keys = await deriveKeys(options.key, options.salt, options.context, crypto);
    return new Sealer(options, keys, await crypto.chunkCipher(keys.key));
  }

  get commitment(): Uint8Array {
    return this.#keys.commitment;
  }

  /** SHA-256 of every block that was given so far. */
  get hashes(): readonly Uint8Array[] {
    return this.#hashes;
  }

  /** Sealed bytes that were given so far. */
  get sealedBytes(): number {
    return this.#sealedBytes;
  }

  /** Root over all blocks. Call it when `blocks` has ended. */
  async root(): Promise<Uint8Array> {
    return await rootOf(this.#hashes, this.#crypto);
  }

  /** The sealed object in blocks. Each block is the caller's. Run it once. */
  async *blocks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let block = new Uint8Array(blockBytes);
    block.set(this.#salt);
    block.set(this.#keys.commitment, this.#salt.length);
    let filled = headerBytes;
    for await (const sealed of this.#chunks(source)) {
      for (let at = 0; at < sealed.length; ) {
        const taken = Math.min(sealed.length - at, blockBytes - filled);
        block.set(sealed.subarray(at, at + taken), filled);
        filled += taken;
        at += taken;
        if (filled < blockBytes) continue;
        yield await this.#finish(block);
        block = new Uint8Array(blockBytes);
        filled = 0;
      }
    }
    if (filled > 0) yield await this.#finish(block.subarray(0, filled));
  }

  async #finish(block: Uint8Array): Promise<Uint8Array> {
    this.#hashes.push(await this.#crypto.sha256(block));
    this.#sealedBytes += block.length;
    return block;
  }

  /** Sealed chunks, several at a time; the last one is shorter than a chunk and may be empty. */
  async *#chunks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let rest = new Uint8Array(0);
    let index = 0;
    for await (const bytes of source) {
      const plaintext = rest.length > 0 ? join(rest, bytes) : bytes;
      const whole = Math.floor(plaintext.length / chunkBytes);
      for (let first = 0; first < whole; first += batchChunks) {
        const count = Math.min(batchChunks, whole - first);
        const part = plaintext.subarray(first * chunkBytes, (first + count) * chunkBytes);
        yield await this.#sealChunks(part, index, count);
        index += count;
      }
      rest = plaintext.slice(whole * chunkBytes);
    }
    yield await this.#cipher.seal(chunkNonce(this.#keys.baseNonce, index), rest);
  }

  async #sealChunks(plaintext: Uint8Array, first: number, count: number): Promise<Uint8Array> {
    const sealed = new Uint8Array(count * sealedChunkBytes);
    const chunks = Array.from({ length: count }, (_, i) =>
      this.#cipher.seal(
        chunkNonce(this.#keys.baseNonce, first + i),
        plaintext.subarray(i * chunkBytes, (i + 1) * chunkBytes),
      ),
    );
    for (const [i, chunk] of chunks.entries()) sealed.set(await chunk, i * sealedChunkBytes);
    return sealed;
  }
}
