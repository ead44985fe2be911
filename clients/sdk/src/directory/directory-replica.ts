import { Directory } from "@sotto/identity";
import { limits, toSafeNumber } from "@sotto/protocol";
import { equalBytes } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError } from "../errors.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";

/**
 * This device's copy of the whole key directory, every record checked by the rules that the server
 * should have checked. What the copy holds is never replaced by what a server says later.
 */
export class DirectoryReplica {
  readonly directory: Directory;
  readonly #store: ProfileStore;
  readonly #grown: (() => void)[] = [];
  #syncing: Promise<void> | undefined;
  #last: Uint8Array | undefined;

  private constructor(store: ProfileStore, directory: Directory, last: Uint8Array | undefined) {
    this.#store = store;
    this.directory = directory;
    this.#last = last;
  }

  static async open(store: ProfileStore): Promise<DirectoryReplica> {
    const directory = new Directory();
    let last: Uint8Array | undefined;
    for (let after = ""; ; ) {
      const page = await store.scan("directory", { after, limit: 1000 });
      for (const { key, value } of page) {
        await directory.apply(value);
        last = value;
        after = key;
      }
      if (page.length < 1000) return new DirectoryReplica(store, directory, last);
    }
  }

  get size(): number {
    return this.directory.size;
  }

  /** Calls back after records were added. */
  onGrown(grown: () => void): void {
    this.#grown.push(grown);
  }

  /** Fetches what is missing up to the server's present size, at least up to `size`. */
  async sync(connection: Connection, size = 0): Promise<void> {
    while (this.#syncing) await this.#syncing;
    if (size !== 0 && this.size >= size) return;
    this.#syncing = this.#fetch(connection, size).finally(() => {
      this.#syncing = undefined;
    });
    await this.#syncing;
  }

  async #fetch(connection: Connection, size: number): Promise<void> {
    const before = this.size;
    for (;;) {
      // One record that is known already comes first: a server that tells another story is found out here.
      const from = Math.max(0, this.size - 1);
      const page = await connection.request(
        {
          case: "readDirectory",
          value: { from: BigInt(from), limit: limits.directoryPageRecordsMax },
        },
        "directoryPage",
      );
      const records = this.#last ? page.records.slice(1) : page.records;
      if (this.#last && !(page.records[0] && equalBytes(page.records[0], this.#last))) {
        throw new SottoClientError(
          "SERVER_MISBEHAVED",
          "the server's key directory is not the one that this device has seen: it was replaced or set back",
        );
      }
      await this.#apply(records);
      if (this.size >= toSafeNumber(page.size)) break;
      if (records.length === 0) break;
    }
    if (this.size < size) {
      throw new SottoClientError(
        "SERVER_MISBEHAVED",
        "the server holds back records of its key directory",
      );
    }
    if (this.size > before) for (const grown of this.#grown) grown();
  }

  async #apply(records: readonly Uint8Array[]): Promise<void> {
    const changes: StoreChange[] = [];
    for (const bytes of records) {
      const key = String(this.size).padStart(10, "0");
      await this.directory.apply(bytes);
      changes.push({ table: "directory", key, value: bytes });
      this.#last = bytes;
    }
    await this.#store.commit(changes);
  }
}
