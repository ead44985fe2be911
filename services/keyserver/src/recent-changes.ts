import type { RoomId, UserId } from "@sotto/protocol";

/** A handshake record that was accepted. */
export interface RosterChanged {
  readonly room: RoomId;
  readonly handshake: number;
  /** Users with a device added or removed by it. */
  readonly users: readonly UserId[];
}

/** What an edge is told that asks from a cursor on. */
export interface ChangesSince {
  readonly cursor: number;
  /** `undefined`: the cursor is unknown here or too old, so that some may be missing. */
  readonly changes: readonly RosterChanged[] | undefined;
}

/**
 * The newest roster changes that this replica made or heard of, by a cursor of its own.
 *
 * What is guaranteed: every change that this replica made is in it, and every change that another one made
 * and whose hint arrived. Hints travel at most once, so where some may have been lost (the bus was away, or
 * dropped them) the incarnation is renewed, and every edge loads its rooms from the keyserver anew, which
 * compares rosters with the log. An edge that alternates between replicas meets two incarnations and
 * loads anew each time: correct, and dearer.
 */
export class RecentChanges {
  readonly #keptMax: number;
  readonly #changes: RosterChanged[] = [];
  readonly #known = new Set<string>();
  /** Cursor of the first change that is kept. */
  #first = 0;
  #incarnation = newIncarnation();

  constructor(keptMax: number) {
    this.#keptMax = keptMax;
  }

  /** Names this life of the cursor, 16 bytes: one of another life means nothing here. */
  get incarnation(): Uint8Array {
    return this.#incarnation;
  }

  /** Remembers a change; one that is known already (its own hint coming back) is not taken twice. */
  add(change: RosterChanged): void {
    const name = nameOf(change);
    if (this.#known.has(name)) return;
    this.#known.add(name);
    this.#changes.push(change);
    if (this.#changes.length <= this.#keptMax) return;
    const [oldest] = this.#changes.splice(0, 1);
    if (oldest) this.#known.delete(nameOf(oldest));
    this.#first++;
  }

  /** Changes may have been missed: every edge is to load its rooms anew. */
  renew(): void {
    this.#incarnation = newIncarnation();
  }

  /** What came from `cursor` on, as an edge of `incarnation` counts. */
  since(incarnation: Uint8Array, cursor: number): ChangesSince {
    const end = this.#first + this.#changes.length;
    const same =
      incarnation.length === this.#incarnation.length &&
      incarnation.every((byte, at) => byte === this.#incarnation[at]);
    const known = same && cursor >= this.#first && cursor <= end;
    return { cursor: end, changes: known ? this.#changes.slice(cursor - this.#first) : undefined };
  }
}

function nameOf({ room, handshake }: RosterChanged): string {
  return `${room}/${handshake}`;
}

function newIncarnation(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(16));
}
