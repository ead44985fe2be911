/** Where a lane, or all of them together, hold as many tasks as they may. */
export class LaneFull extends Error {
  override readonly name = "LaneFull";
  readonly code = "BUSY";
}

interface Lane {
  waiting: number;
  last: Promise<unknown>;
}

/**
 * One task at a time for each key, in the order of the calls; a lane is gone once it is empty.
 * Bounded for each key and in all: beyond that `run` rejects with `LaneFull` at once.
 */
export class Lanes {
  readonly #perKeyMax: number;
  readonly #allMax: number;
  readonly #lanes = new Map<string, Lane>();
  #all = 0;

  constructor(perKeyMax: number, allMax: number) {
    this.#perKeyMax = perKeyMax;
    this.#allMax = allMax;
  }

  get tasks(): number {
    return this.#all;
  }

  async run<Result>(key: string, task: () => Promise<Result>): Promise<Result> {
    const lane = this.#lanes.get(key) ?? { waiting: 0, last: Promise.resolve() };
    if (lane.waiting >= this.#perKeyMax || this.#all >= this.#allMax) {
      throw new LaneFull("too much is under way");
    }
    this.#lanes.set(key, lane);
    lane.waiting++;
    this.#all++;
    const turn = lane.last.then(task);
    // The lane goes on whatever becomes of the task; its caller gets the error.
    lane.last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      lane.waiting--;
      this.#all--;
      if (lane.waiting === 0) this.#lanes.delete(key);
    }
  }

  /** Resolves when nothing is under way; tasks that come meanwhile are waited for too. */
  async idle(): Promise<void> {
    while (this.#lanes.size > 0) {
      await Promise.all([...this.#lanes.values()].map((lane) => lane.last));
      await Promise.resolve();
    }
  }
}
