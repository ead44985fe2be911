import {
  MemoryStore,
  type ProfileStore,
  type ScanRange,
  type StoreChange,
  type StoreEntry,
  type StoreTable,
} from "@sotto/sdk";

export type Moment = "before" | "after";

/**
 * A profile that outlives its clients, and lets one die at a write: from then on it reads and writes nothing any
 * more. `life` gives the next client its store.
 */
export class DyingStore {
  /** What is on the disk, whoever is alive. */
  readonly disk: MemoryStore = new MemoryStore();
  /** Lives that ended at a write. */
  deaths = 0;
  /** What becomes of a write on the way to the disk. */
  readonly #spoil: (change: StoreChange) => StoreChange;
  #life: Life | undefined;
  #writesLeft = Number.POSITIVE_INFINITY;
  #moment: Moment = "before";

  constructor(spoil = (change: StoreChange): StoreChange => change) {
    this.#spoil = spoil;
  }

  get dead(): boolean {
    return this.#life?.dead === true;
  }

  life(): ProfileStore {
    this.#life = new Life(this);
    return this.#life;
  }

  /** Lets the `write`th write from now on be the last of its life, before or after it takes effect. */
  arm(write: number, moment: Moment): void {
    this.#writesLeft = write;
    this.#moment = moment;
  }

  disarm(): void {
    this.#writesLeft = Number.POSITIVE_INFINITY;
  }

  async commit(life: Life, changes: readonly StoreChange[]): Promise<void> {
    const last = --this.#writesLeft === 0;
    // From this very moment nothing may leave the device, whatever else is under way.
    if (last) {
      life.dead = true;
      this.deaths++;
    }
    if (!last || this.#moment === "after") await this.disk.commit(changes.map(this.#spoil));
  }
}

class Life implements ProfileStore {
  readonly #store: DyingStore;
  dead = false;

  constructor(store: DyingStore) {
    this.#store = store;
  }

  async get(table: StoreTable, key: string): Promise<Uint8Array | undefined> {
    this.#breathe();
    return await this.#store.disk.get(table, key);
  }

  async scan(table: StoreTable, range: ScanRange): Promise<readonly StoreEntry[]> {
    this.#breathe();
    return await this.#store.disk.scan(table, range);
  }

  async commit(changes: readonly StoreChange[]): Promise<void> {
    this.#breathe();
    await this.#store.commit(this, changes);
    this.#breathe();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #breathe(): void {
    if (this.dead) throw new Error("this process is not any more");
  }
}
