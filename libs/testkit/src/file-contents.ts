import type { Random } from "./seeded-random.ts";

const sectorBytes = 512;

type Change =
  | { readonly index: number; readonly offset: number; readonly data: Uint8Array }
  | { readonly index: number; readonly length: number };

/** One file's contents: what a sync made certain, and the changes since. */
export class FileContents {
  #certain: Uint8Array = new Uint8Array(0);
  #certainBytes = 0;
  #pending: Change[] = [];

  change(change: Change): void {
    this.#pending.push(change);
  }

  /** Makes certain every change that completed before operation `before`. */
  sync(before: number): void {
    const rest: Change[] = [];
    for (const change of this.#pending) {
      if (change.index < before) this.#apply(change);
      else rest.push(change);
    }
    this.#pending = rest;
  }

  /** The contents after power loss. Ends the use of this object. */
  lose(random: Random): Uint8Array {
    for (const change of survivors(this.#pending, random)) this.#apply(change);
    return this.#certain.slice(0, this.#certainBytes);
  }

  #apply(change: Change): void {
    if ("length" in change) {
      if (change.length > this.#certainBytes) this.#reserve(change.length);
      else this.#certain.fill(0, change.length, this.#certainBytes);
      this.#certainBytes = change.length;
      return;
    }
    const end = change.offset + change.data.length;
    this.#reserve(end);
    this.#certain.set(change.data, change.offset);
    this.#certainBytes = Math.max(this.#certainBytes, end);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#certain.length) return;
    const grown = new Uint8Array(Math.max(bytes, this.#certain.length * 2));
    grown.set(this.#certain);
    this.#certain = grown;
  }
}

/** A random prefix or subset of the changes, the last of them torn at a sector. */
function survivors(pending: readonly Change[], random: Random): readonly Change[] {
  const keepPrefix = random() < 0.5;
  const count = Math.floor(random() * (pending.length + 1));
  const kept = keepPrefix ? pending.slice(0, count) : pending.filter(() => random() < 0.5);
  const last = kept.at(-1);
  if (!last || "length" in last || random() < 0.5) return kept;
  const sectors = Math.floor((random() * last.data.length) / sectorBytes);
  return [...kept.slice(0, -1), { ...last, data: last.data.subarray(0, sectors * sectorBytes) }];
}
