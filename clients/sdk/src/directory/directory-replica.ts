import { Directory, type IdentityRecord, parseRecord } from "@sotto/identity";
import { limits, toHex, toSafeNumber } from "@sotto/protocol";
import { equalBytes, sha256 } from "../bytes.ts";
import type { Checks } from "../checks.ts";
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
  readonly #checks: Checks;
  readonly #grown: (() => void)[] = [];
  #syncing: Promise<void> | undefined;
  #last: Uint8Array | undefined;

  private constructor(
    store: ProfileStore,
    checks: Checks,
    directory: Directory,
    last: Uint8Array | undefined,
  ) {
    this.#store = store;
    this.#checks = checks;
    this.directory = directory;
    this.#last = last;
  }

  static async open(store: ProfileStore, checks: Checks): Promise<DirectoryReplica> {
    const directory = new Directory();
    let last: Uint8Array | undefined;
    for (let after = ""; ; ) {
      const page = await store.scan("directory", { after, limit: 1000 });
      for (const { key, value } of page) {
        await take(directory, value, checks);
        last = value;
        after = key;
      }
      if (page.length < 1000) return new DirectoryReplica(store, checks, directory, last);
    }
  }

  get size(): number {
    return this.directory.size;
  }

  /** The record of this index. Throws `RangeError` where there is none. */
  async record(index: number): Promise<IdentityRecord> {
    const bytes = await this.#store.get("directory", String(index).padStart(10, "0"));
    if (!bytes) throw new RangeError(`there is no record ${index}`);
    return parseRecord(bytes).record;
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
      const known = page.records[0];
      const follows = !this.#last || (known !== undefined && equalBytes(known, this.#last));
      if (this.#checks.directoryOverlap && !follows) {
        throw new SottoClientError(
          "SERVER_MISBEHAVED",
          "the server's key directory is not the one that this device has seen: it was replaced or set back",
        );
      }
      await this.#apply(records);
      if (this.size >= toSafeNumber(page.size)) break;
      if (records.length === 0) break;
    }
    if (this.#checks.withheldRecords && this.size < size) {
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
      await take(this.directory, bytes, this.#checks);
      changes.push({ table: "directory", key, value: bytes });
      this.#last = bytes;
    }
    await this.#store.commit(changes);
  }
}

/** Takes in the next record where it follows the rules. */
async function take(directory: Directory, bytes: Uint8Array, checks: Checks): Promise<void> {
  if (checks.directoryRules) await directory.apply(bytes);
  else {
    const hash = toHex(await sha256(bytes));
    await directory.take({ parsed: parseRecord(bytes), hash, index: directory.size });
  }
}
