import { Directory, type DirectoryHead, sha256Hex } from "@sotto/identity";
import { ErrorCode, limits, SottoError, toHex } from "@sotto/protocol";
import { recordRefusal } from "../refusal.ts";

export interface HandedBackOptions {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** Records that lead to a signed head. */
export interface FoundRecords {
  /** Index of the first. */
  readonly begin: number;
  readonly records: readonly Uint8Array[];
}

/**
 * Records that one client handed back and that are not in the store yet: held in memory until they reach a size and
 * root that the server itself has signed. Each must keep all rules of the directory, so that nobody fills it with
 * noise; which of two good records stood at a place, only the root tells.
 */
export class HandedBackRecords {
  readonly #options: HandedBackOptions;
  /** The store's directory, and behind it what was handed back; made only for the first record that is held. */
  #folded: Directory | undefined;
  #begin = 0;
  #records: Uint8Array[] = [];
  #bytes = 0;

  constructor(options: HandedBackOptions) {
    this.#options = options;
  }

  /** Index after the last record that is held. */
  get next(): number {
    return this.#begin + this.#records.length;
  }

  /** Bytes of the records that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Begins where the store ends; what was held before is dropped where the store has another end now. */
  follow(stored: Directory): void {
    if (this.#begin !== stored.size) this.drop(stored);
  }

  /** Holds nothing any more. */
  drop(stored: Directory): void {
    this.#folded = undefined;
    this.#begin = stored.size;
    this.#records = [];
    this.#bytes = 0;
  }

  /**
   * Holds records from index `from` on, as far as they follow what is held and `end` is not passed. Another record
   * than the one that is held at a place begins anew. Rejects with `SottoError`: CHAIN_CONFLICT where the store has
   * another record at a place, TOO_LARGE beyond the bound, or as records are refused.
   */
  async hold(
    stored: Directory,
    from: number,
    records: readonly Uint8Array[],
    end: number,
  ): Promise<void> {
    for (const [at, bytes] of records.entries()) {
      const index = from + at;
      if (index >= end) return;
      const stands = stored.indexOf(await sha256Hex(bytes));
      if (index < stored.size) {
        if (stands === index) continue;
        throw new SottoError(ErrorCode.CHAIN_CONFLICT, "another record stands at that place");
      }
      const held = this.#records[index - this.#begin];
      if (held && Buffer.compare(held, bytes) === 0) continue;
      if (held) this.drop(stored);
      if (index !== this.next) return;
      await this.#take(stored, bytes);
    }
  }

  /** The records up to a signed head, where they lead to it; `undefined` where some are lacking, or it is another root. */
  async reaching({ size, root }: DirectoryHead): Promise<FoundRecords | "other" | undefined> {
    if (size > this.next) return undefined;
    if (!this.#folded || toHex(await this.#folded.root(size)) !== toHex(root)) return "other";
    return { begin: this.#begin, records: this.#records.slice(0, size - this.#begin) };
  }

  async #take(stored: Directory, bytes: Uint8Array): Promise<void> {
    const { recordsMax, bytesMax } = this.#options;
    if (bytes.length > limits.recordBytesMax)
      throw new SottoError(ErrorCode.TOO_LARGE, "a record is too large");
    if (this.#records.length >= recordsMax || this.#bytes + bytes.length > bytesMax)
      throw new SottoError(
        ErrorCode.TOO_LARGE,
        "too many records are missing: the operator must look",
      );
    try {
      this.#folded ??= Directory.restore(stored.snapshot());
      await this.#folded.apply(bytes);
    } catch (error) {
      throw recordRefusal(error);
    }
    this.#records.push(bytes.slice());
    this.#bytes += bytes.length;
  }
}
