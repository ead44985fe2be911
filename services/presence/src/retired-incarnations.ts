/**
 * Lives of edges that are over: ended, or replaced by another. Remembers the last
 * `retiredMax` of them; older ones are forgotten, long after anything of theirs can still come.
 */
export class RetiredIncarnations {
  readonly #retiredMax: number;
  readonly #keys = new Set<string>();

  constructor(retiredMax: number) {
    this.#retiredMax = retiredMax;
  }

  has(edge: string, incarnation: string): boolean {
    return this.#keys.has(keyOf(edge, incarnation));
  }

  add(edge: string, incarnation: string): void {
    this.#keys.add(keyOf(edge, incarnation));
    const [oldest] = this.#keys;
    if (this.#keys.size > this.#retiredMax && oldest !== undefined) this.#keys.delete(oldest);
  }

  forget(edge: string, incarnation: string): void {
    this.#keys.delete(keyOf(edge, incarnation));
  }
}

/** An incarnation is hex, so the key is unambiguous whatever the edge is called. */
function keyOf(edge: string, incarnation: string): string {
  return `${incarnation} ${edge}`;
}
