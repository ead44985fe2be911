import type { NodeId } from "./recording.ts";
import type { Random } from "./seeded-random.ts";

/** A name that came, went, or both at once (a rename inside the folder). */
interface Change {
  readonly index: number;
  readonly name?: string;
  readonly node?: NodeId;
  readonly removed?: string;
}

/** One folder's names: what a sync made certain, and the changes since. */
export class FolderEntries {
  readonly #certain = new Map<string, NodeId>();
  readonly #cached = new Map<string, NodeId>();
  #pending: Change[] = [];

  /** The node that a running program finds under `name`. */
  cached(name: string): NodeId | undefined {
    return this.#cached.get(name);
  }

  change(change: Change): void {
    apply(change, this.#cached);
    this.#pending.push(change);
  }

  /** Makes certain every change that completed before operation `before`. */
  sync(before: number): void {
    this.#settle((change) => change.index < before);
  }

  /** Makes certain what concerns one node's name. */
  syncNode(node: NodeId, before: number): void {
    this.#settle((change) => change.index < before && change.node === node);
  }

  /** The names after power loss. Ends the use of this object. */
  lose(random: Random): ReadonlyMap<string, NodeId> {
    const keepPrefix = random() < 0.5;
    const count = Math.floor(random() * (this.#pending.length + 1));
    for (const [index, change] of this.#pending.entries()) {
      if (keepPrefix ? index < count : random() < 0.5) apply(change, this.#certain);
    }
    return this.#certain;
  }

  #settle(isCovered: (change: Change) => boolean): void {
    // What a covered name went through before is settled with it.
    const settledAt = new Map<string, number>();
    for (const change of this.#pending) {
      if (!isCovered(change)) continue;
      for (const name of namesOf(change)) settledAt.set(name, change.index);
    }
    const rest: Change[] = [];
    for (const change of this.#pending) {
      const isSettled = namesOf(change).some((name) => change.index <= (settledAt.get(name) ?? -1));
      if (isSettled) apply(change, this.#certain);
      else rest.push(change);
    }
    this.#pending = rest;
  }
}

function namesOf(change: Change): string[] {
  return [change.name, change.removed].filter((name) => name !== undefined);
}

function apply(change: Change, names: Map<string, NodeId>): void {
  if (change.removed !== undefined) names.delete(change.removed);
  if (change.name !== undefined && change.node !== undefined) names.set(change.name, change.node);
}
