import type { Clock, Timer } from "@sotto/clock";
import type { DirectoryStore } from "@sotto/directory";
import type { DirectoryState } from "../directory-state.ts";

export interface StoreWatchOptions {
  readonly clock: Clock;
  readonly store: DirectoryStore;
  readonly state: DirectoryState;
  /** How often it looks. */
  readonly periodMs: number;
  /** Records that it reads each time. */
  readonly records: number;
}

/**
 * Reads the store again, a few records at a time and round and round, and compares them with those that it took: who
 * alters one while the server runs is found out also where nobody reads it.
 */
export class StoreWatch implements AsyncDisposable {
  readonly #options: StoreWatchOptions;
  #timer: Timer | undefined;
  #from = 0;
  #looking: Promise<void> | undefined;
  #stopped = false;

  constructor(options: StoreWatchOptions) {
    this.#options = options;
    this.#wait();
  }

  /** Ends it, and waits for the look under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  #wait(): void {
    const { clock, periodMs, state } = this.#options;
    // Once is enough: it stays so until the operator has put the store right.
    if (this.#stopped || state.isAltered) return;
    this.#timer = clock.after(periodMs, () => {
      this.#looking = this.#look().finally(() => this.#wait());
    });
  }

  async #look(): Promise<void> {
    const { store, state, records } = this.#options;
    // A store that cannot be read says so to everybody else.
    const page = await store.read(this.#from, records).catch(() => []);
    for (const { index, bytes } of page) await state.compare(index, bytes);
    this.#from = page.length < records ? 0 : this.#from + page.length;
  }
}
