/**
 * Lets reads run side by side, and a change of files run alone: it waits for the reads that
 * run, and reads that come meanwhile wait for it. Changes come one at a time.
 */
export class ReadGate {
  #reading = 0;
  #idle: (() => void) | undefined;
  #change: Promise<void> | undefined;

  async read<T>(work: () => Promise<T>): Promise<T> {
    while (this.#change) await this.#change;
    this.#reading++;
    try {
      return await work();
    } finally {
      if (--this.#reading === 0) this.#idle?.();
    }
  }

  async change(work: () => Promise<void>): Promise<void> {
    while (this.#change) await this.#change;
    let done = () => {};
    this.#change = new Promise((resolve) => {
      done = resolve;
    });
    try {
      if (this.#reading > 0)
        await new Promise<void>((resolve) => {
          this.#idle = resolve;
        });
      await work();
    } finally {
      this.#idle = undefined;
      this.#change = undefined;
      done();
    }
  }
}
