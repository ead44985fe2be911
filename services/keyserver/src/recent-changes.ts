import type { RoomId, UserId } from "@sotto/protocol";

/** A handshake record that was accepted. */
export interface RosterChanged {
  readonly room: RoomId;
  readonly handshake: number;
  /** Users with a device added or removed by it. */
  readonly users: readonly UserId[];
}

/** Changes that are remembered for edges that ask; one that is further behind loads its rooms anew. */
const keptChangesMax = 4096;

/** The newest roster changes that this replica made or heard of, by a cursor of its own. */
export class RecentChanges {
  readonly #changes: RosterChanged[] = [];
  readonly #newest = new Map<RoomId, number>();
  /** Cursor of the first change that is kept. */
  #first = 0;

  get cursor(): number {
    return this.#first + this.#changes.length;
  }

  /** Remembers a change; one that is known already (its own hint coming back) is not taken twice. */
  add(change: RosterChanged): void {
    if ((this.#newest.get(change.room) ?? 0) >= change.handshake) return;
    this.#newest.set(change.room, change.handshake);
    if (this.#newest.size > keptChangesMax)
      this.#newest.delete(this.#newest.keys().next().value as RoomId);
    this.#changes.push(change);
    if (this.#changes.length <= keptChangesMax) return;
    this.#changes.shift();
    this.#first++;
  }

  /** Changes from `cursor` on; `undefined` where some of them are forgotten, or the cursor is from elsewhere. */
  since(cursor: number): readonly RosterChanged[] | undefined {
    if (cursor < this.#first || cursor > this.cursor) return undefined;
    return this.#changes.slice(cursor - this.#first);
  }
}
