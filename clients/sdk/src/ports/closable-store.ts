import { closed } from "../errors.ts";
import type {
  ProfileStore,
  ScanRange,
  StoreChange,
  StoreEntry,
  StoreTable,
} from "./profile-store.ts";

/** A store that belongs to a client: once that is closed, whatever still comes is refused with CLOSED. */
export class ClosableStore implements ProfileStore {
  readonly #store: ProfileStore;
  #closed = false;

  constructor(store: ProfileStore) {
    this.#store = store;
  }

  async get(table: StoreTable, key: string): Promise<Uint8Array | undefined> {
    return await this.#open().get(table, key);
  }

  async scan(table: StoreTable, range: ScanRange): Promise<readonly StoreEntry[]> {
    return await this.#open().scan(table, range);
  }

  async commit(changes: readonly StoreChange[]): Promise<void> {
    await this.#open().commit(changes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#store[Symbol.asyncDispose]();
  }

  #open(): ProfileStore {
    if (this.#closed) throw closed();
    return this.#store;
  }
}
