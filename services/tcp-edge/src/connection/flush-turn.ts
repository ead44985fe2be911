/** Something whose bytes are written once a turn. */
export interface Flushable {
  flush(): void;
}

/**
 * Gathers everything that has bytes to write during one turn of the event loop, and lets it write
 * them together when the turn's reads are done: many frames then cost one system call and one TLS
 * record. Shared by all connections of an edge.
 */
export class FlushTurn {
  #dirty: Flushable[] = [];

  /** Calls `flush` once at the end of this turn. To be called once by each until then. */
  schedule(flushable: Flushable): void {
    this.#dirty.push(flushable);
    if (this.#dirty.length === 1) setImmediate(this.#run);
  }

  readonly #run = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const flushable of dirty) flushable.flush();
  };
}
