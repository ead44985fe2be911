/** Runs so many tasks at a time; the others wait in line. Whoever gives tasks bounds their number. */
export class Turns {
  readonly #atOnceMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  /** Resolves or rejects as `task` does; a failure does not stop the ones in line. */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#running < this.#atOnceMax) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
