/** Runs tasks one after another, in the order in which they were given. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Tasks that have not ended. */
  get size(): number {
    return this.#waiting;
  }

  /** Resolves or rejects as `task` does; a failure does not stop the ones behind it. */
  run<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#waiting++;
    const result = this.#tail.then(task, task).finally(() => {
      this.#waiting--;
    });
    this.#tail = result.catch(() => {});
    return result;
  }
}
