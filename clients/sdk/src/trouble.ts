import type { Clock } from "@sotto/clock";
import { textOf, utf8 } from "./bytes.ts";
import type { Connection } from "./connection/connection.ts";
import type { ProfileStore, StoreChange } from "./ports/profile-store.ts";

const reportAfterMs = 30_000;
/** What one report tells of at most; the rest goes with the next. */
const reportedMax = 1_000_000;

/**
 * Counts the messages that this device could not open, and tells the server how many: a number, so that the
 * operator sees that something is wrong. Never which, and never content.
 */
export class Trouble {
  readonly #store: ProfileStore;
  readonly #clock: Clock;
  readonly #random: () => number;
  #total: number;
  #reported: number;
  #waiting = false;
  /** Asked for a connection when there is something to report. */
  online: () => Promise<Connection> = async () => await new Promise(() => {});

  private constructor(
    store: ProfileStore,
    clock: Clock,
    random: () => number,
    counts: { total: number; reported: number },
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#total = counts.total;
    this.#reported = counts.reported;
  }

  static async open(store: ProfileStore, clock: Clock, random: () => number): Promise<Trouble> {
    const row = await store.get("meta", "cannot-open");
    const counts = row ? JSON.parse(textOf(row)) : { total: 0, reported: 0 };
    return new Trouble(store, clock, random, counts);
  }

  /** Messages that could not be opened since this profile began. */
  get cannotOpen(): number {
    return this.#total;
  }

  /** One more could not be opened. The change belongs into the commit of its record. */
  count(): StoreChange {
    this.#total++;
    this.later();
    return this.#change();
  }

  /** Reports a while from now, where there is something to report. */
  later(): void {
    if (this.#waiting || this.#reported >= this.#total) return;
    this.#waiting = true;
    this.#clock.after(reportAfterMs * (0.5 + this.#random()), () => {
      this.#waiting = false;
      void this.#report().catch(() => {});
    });
  }

  /** What fails is told with the next one, or after the next login. */
  async #report(): Promise<void> {
    const connection = await this.online();
    const cannotOpen = Math.min(this.#total - this.#reported, reportedMax);
    if (cannotOpen <= 0) return;
    await connection.request({ case: "reportTrouble", value: { cannotOpen } }, "done");
    this.#reported += cannotOpen;
    await this.#store.commit([this.#change()]);
    this.later();
  }

  #change(): StoreChange {
    const counts = { total: this.#total, reported: this.#reported };
    return { table: "meta", key: "cannot-open", value: utf8(JSON.stringify(counts)) };
  }
}
