import { chunkNonce, type DerivedKeys, deriveKeys, join } from "./derived-keys.ts";
import { rootOf } from "./hash-list.ts";
import { type ChunkCipher, type SealCrypto, webSealCrypto } from "./seal-crypto.ts";
import { SealedMediaError } from "./sealed-media-error.ts";
import {
  blockBytes,
  blockCount,
  chunkBytes,
  headerBytes,
  plainLength,
  sealedChunkBytes,
} from "./sizes.ts";

/** What the sender signed of an object. */
export interface SealedObject {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  readonly context: Uint8Array;
  readonly sealedBytes: number;
  readonly root: Uint8Array;
  /** SHA-256 of every block. */
  readonly hashes: readonly Uint8Array[];
  readonly crypto?: SealCrypto;
}

/** Fetches sealed bytes from `offset` on, in order. */
export type FetchSealed = (offset: number, length: number) => AsyncIterable<Uint8Array>;

/**
 * Opens any range of a sealed object. A block is compared with its signed hash before anything of it is
 * opened, so that neither a server nor another member can put other bytes in its place.
 */
export class Opener {
  readonly plainBytes: number;
  readonly #object: SealedObject;
  readonly #crypto: SealCrypto;
  readonly #cipher: ChunkCipher;
  readonly #keys: DerivedKeys;

  private constructor(
    object: SealedObject,
    crypto: SealCrypto,
    keys: DerivedKeys,
    cipher: ChunkCipher,
  ) {
    this.#object = object;
    this.#crypto = crypto;
    this.#keys = keys;
    this.#cipher = cipher;
    this.plainBytes = plainLength(object.sealedBytes);
  }

  /** Checks lengths, commitment and root. Rejects with `SealedMediaError` WRONG_KEY, ALTERED, BAD_LENGTH. */
  static async create(object: SealedObject): Promise<Opener> {
    const crypto = object.crypto ?? webSealCrypto;
    const keys = await deriveKeys(object.key, object.salt, object.context, crypto);
    const cipher = await crypto.chunkCipher(keys.key);
    const opener = new Opener(object, crypto, keys, cipher);
    if (!same(keys.commitment, object.commitment)) {
      throw new SealedMediaError(
        "WRONG_KEY",
        "the key is not the one that the object was sealed with",
      );
    }
    const whole = object.hashes.length === blockCount(object.sealedBytes);
    if (!whole || !same(await rootOf(object.hashes, crypto), object.root)) {
      throw new SealedMediaError(
        "ALTERED",
        "the list of hashes is not the one that the sender signed",
      );
    }
    return opener;
  }

  /**
   * Plaintext from `start` to `end` (exclusive), in order. Rejects with `SealedMediaError` ALTERED,
   * TRUNCATED, BAD_RANGE; what was given before is good.
   */
  async *read(
    start: number,
    end: number,
    fetch: FetchSealed,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (!(0 <= start && start <= end && end <= this.plainBytes)) {
      throw new SealedMediaError("BAD_RANGE", `bytes ${start} to ${end} of ${this.plainBytes}`);
    }
    if (start === end) return;
    const firstChunk = Math.floor(start / chunkBytes);
    const lastChunk = Math.floor((end - 1) / chunkBytes);
    let chunk = firstChunk;
    let skip = firstChunk * sealedChunkBytes + headerBytes;
    let rest = new Uint8Array(0);
    const until = this.#chunkEnd(lastChunk);
    for await (const { block, offset } of this.#blocks(skip, until, fetch)) {
      const fresh = block.subarray(Math.max(0, skip - offset), Math.max(0, until - offset));
      skip = Math.max(skip, offset + block.length);
      const sealed = rest.length > 0 ? join(rest, fresh) : fresh;
      const count = this.#wholeChunks(sealed.length, chunk);
      if (count > 0) {
        const plain = await this.#openChunks(sealed, chunk, count);
        const from = chunk * chunkBytes;
        yield plain.subarray(Math.max(0, start - from), Math.min(plain.length, end - from));
        chunk += count;
      }
      rest = sealed.slice(Math.min(sealed.length, count * sealedChunkBytes));
    }
  }

  /** Sealed offset after chunk `index`. */
  #chunkEnd(index: number): number {
    return Math.min(this.#object.sealedBytes, headerBytes + (index + 1) * sealedChunkBytes);
  }

  /** How many whole chunks `bytes` sealed bytes from chunk `first` on hold; the last one is shorter. */
  #wholeChunks(bytes: number, first: number): number {
    const whole = Math.floor(bytes / sealedChunkBytes);
    const left = this.#object.sealedBytes - headerBytes - first * sealedChunkBytes;
    return bytes === left ? Math.ceil(left / sealedChunkBytes) : whole;
  }

  /** Verified blocks that cover the sealed range. */
  async *#blocks(from: number, to: number, fetch: FetchSealed) {
    let index = Math.floor(from / blockBytes);
    const end = Math.min(this.#object.sealedBytes, Math.ceil(to / blockBytes) * blockBytes);
    let block = new Uint8Array(Math.min(blockBytes, end - index * blockBytes));
    let filled = 0;
    for await (const bytes of fetch(index * blockBytes, end - index * blockBytes)) {
      for (let at = 0; at < bytes.length; ) {
        if (index * blockBytes >= end)
          throw new SealedMediaError("ALTERED", "more bytes came than there are");
        const taken = Math.min(bytes.length - at, block.length - filled);
        block.set(bytes.subarray(at, at + taken), filled);
        filled += taken;
        at += taken;
        if (filled < block.length) continue;
        await this.#verify(block, index);
        yield { block, offset: index * blockBytes };
        index++;
        block = new Uint8Array(Math.max(0, Math.min(blockBytes, end - index * blockBytes)));
        filled = 0;
      }
    }
    if (index * blockBytes < end)
      throw new SealedMediaError("TRUNCATED", "the object ended before it should");
  }

  async #verify(block: Uint8Array, index: number): Promise<void> {
    const wanted = this.#object.hashes[index];
    if (!wanted || !same(await this.#crypto.sha256(block), wanted)) {
      throw new SealedMediaError("ALTERED", `block ${index} is not what the sender sealed`);
    }
  }

  async #openChunks(sealed: Uint8Array, first: number, count: number): Promise<Uint8Array> {
    const opened = Array.from({ length: count }, (_, i) => {
      const chunk = sealed.subarray(i * sealedChunkBytes, (i + 1) * sealedChunkBytes);
      return this.#cipher.open(chunkNonce(this.#keys.baseNonce, first + i), chunk);
    });
    try {
      return join(...(await Promise.all(opened)));
    } catch (cause) {
      throw new SealedMediaError("ALTERED", "a chunk is not what the sender sealed", { cause });
    }
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
