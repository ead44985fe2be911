/** Runs tasks one after another, in the order in which they were given. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();
  #size = 0;

  /** Tasks that have not ended. */
  get size(): number {
    return this.#size;
  }

  /** Resolves or rejects as `task` does; a failure does not stop the ones behind it. */
  run<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#size++;
    const result = this.#tail.then(task).finally(() => {
      this.#size--;
    });
    this.#tail = result.catch(() => {});
    return result;
  }

  /** Resolves when everything given until now has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
