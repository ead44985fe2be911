import type { SubjectKind } from "../log.ts";

/** Where one record lies. */
export interface IndexEntry {
  readonly sequence: number;
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
}

/** One topic's records in order: 20 bytes of memory for each, in typed arrays that double. */
export class TopicIndex {
  #count = 0;
  #sequences = new Float64Array(4);
  #places = new Uint32Array(12);
  /** Sequence of the last `h` record, 0 where there is none. */
  handshake = 0;
  /** Sequence of the last `m` record, 0 where there is none. */
  message = 0;

  get last(): number {
    return Math.max(this.handshake, this.message);
  }

  add(kind: SubjectKind, entry: IndexEntry): void {
    if (this.#count === this.#sequences.length) this.#grow();
    this.#sequences[this.#count] = entry.sequence;
    this.#places.set([entry.segment, entry.offset, entry.bytes], this.#count * 3);
    this.#count++;
    if (kind === "h") this.handshake = entry.sequence;
    else this.message = entry.sequence;
  }

  /** Entries after `sequence`: at most `limit`, and of `bytesMax` together, but at least one. */
  after(sequence: number, limit: number, bytesMax: number): IndexEntry[] {
    const entries: IndexEntry[] = [];
    let bytes = 0;
    for (let at = this.#firstAfter(sequence); at < this.#count && entries.length < limit; at++) {
      const entry = this.#entry(at);
      bytes += entry.bytes;
      if (bytes > bytesMax && entries.length > 0) break;
      entries.push(entry);
    }
    return entries;
  }

  /** True where the topic holds the record. */
  has(sequence: number): boolean {
    return this.#sequences[this.#firstAfter(sequence - 1)] === sequence;
  }

  /** Tells the new place of a record whose segment was rewritten. */
  move(sequence: number, offset: number): void {
    const at = this.#firstAfter(sequence - 1);
    if (this.#sequences[at] === sequence) this.#places[at * 3 + 1] = offset;
  }

  /** The numbers of the segments that hold records of the topic. */
  segments(): Set<number> {
    const numbers = new Set<number>();
    for (let at = 0; at < this.#count; at++) numbers.add(this.#places[at * 3] ?? 0);
    return numbers;
  }

  #entry(at: number): IndexEntry {
    return {
      sequence: this.#sequences[at] ?? 0,
      segment: this.#places[at * 3] ?? 0,
      offset: this.#places[at * 3 + 1] ?? 0,
      bytes: this.#places[at * 3 + 2] ?? 0,
    };
  }

  #firstAfter(sequence: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sequences[middle] ?? 0) <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const sequences = new Float64Array(this.#sequences.length * 2);
    sequences.set(this.#sequences);
    this.#sequences = sequences;
    const places = new Uint32Array(this.#places.length * 2);
    places.set(this.#places);
    this.#places = places;
  }
}
