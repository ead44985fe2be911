import {
  changePassphrase,
  ProfileKey,
  removePassphrase,
  SqliteStore,
  setPassphrase,
} from "@sotto/sdk/node";

/** Whether a profile has a passphrase, and waits for it. */
export interface VaultState {
  readonly passphrase: boolean;
  readonly locked: boolean;
}

/**
 * Opens a profile's store, and holds the key of a profile with a passphrase as long as the agent lives. The
 * passphrase itself is not kept.
 */
export class ProfileVault {
  readonly #home: string;
  #key: ProfileKey | undefined;
  #live: SqliteStore | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(home: string) {
    this.#home = home;
  }

  /** A store of the profile, for the caller to dispose. Throws LOCKED. */
  open(): SqliteStore {
    return new SqliteStore(this.#home, this.#key);
  }

  /** True while this process alone can open the profile. */
  get holdsKey(): boolean {
    return this.#key !== undefined;
  }

  state(): VaultState {
    const passphrase = ProfileKey.lockOf(this.#home) === "passphrase";
    return { passphrase, locked: passphrase && !this.#key };
  }

  /** Takes the passphrase, where there is one. Rejects with WRONG_PASSPHRASE. */
  async unlock(passphrase: Uint8Array): Promise<void> {
    if (this.state().locked) this.#key = await ProfileKey.unlock(this.#home, passphrase);
  }

  /** Gives a profile that nobody joined with a passphrase; with one that has it already, as `unlock`. */
  async protect(passphrase: Uint8Array): Promise<void> {
    const lock = ProfileKey.lockOf(this.#home);
    if (lock === "none") this.#key = await ProfileKey.makeLocked(this.#home, passphrase);
    else if (lock === "open" && !(await this.#isJoined())) await this.set(passphrase);
    else if (lock === "passphrase") this.#key = await ProfileKey.unlock(this.#home, passphrase);
  }

  async set(passphrase: Uint8Array): Promise<void> {
    await this.#replaceKey((store) => setPassphrase(this.#home, store, passphrase));
  }

  async change(passphrase: Uint8Array, next: Uint8Array): Promise<void> {
    await this.#replaceKey((store) => changePassphrase(this.#home, store, passphrase, next));
  }

  async remove(passphrase: Uint8Array): Promise<void> {
    await this.#replaceKey((store) => removePassphrase(this.#home, store, passphrase));
    this.#key = undefined;
  }

  /** Opens the store that stays, in which the key is replaced from then on. `use` takes it over. */
  async openLive<Result>(use: (store: SqliteStore) => Promise<Result>): Promise<Result> {
    return await this.#alone(async () => {
      const store = this.open();
      const result = await use(store);
      this.#live = store;
      return result;
    });
  }

  /** The store that stays was disposed. */
  closedLive(): void {
    this.#live = undefined;
  }

  async #isJoined(): Promise<boolean> {
    if (this.#live) return true;
    await using store = this.open();
    return (await store.get("meta", "profile")) !== undefined;
  }

  async #replaceKey(replace: (store: SqliteStore) => Promise<ProfileKey>): Promise<void> {
    await this.#alone(async () => {
      if (this.#live) {
        this.#key = await replace(this.#live);
        return;
      }
      await using store = this.open();
      this.#key = await replace(store);
    });
  }

  /** One at a time: a store that is opened while the key is replaced would go on with the old one. */
  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work, work);
    this.#turn = result.catch(() => {});
    return await result;
  }
}
