import type { RoomId } from "@sotto/protocol";
import { textOf } from "../bytes.ts";
import type { StoreChange, StoreEntry } from "../ports/profile-store.ts";
import { type HistoryEntry, isBeside } from "./history-entry.ts";
import { sequenceKey, sequenceOfKey } from "./history-keys.ts";

/** Where something of a room stands in the history. */
interface Place {
  readonly sequence: number;
  readonly order: string;
}

interface UncommittedPlace extends Place {
  readonly type: HistoryEntry["type"];
}

export interface Neighbours {
  /** The last up to a sequence. */
  readonly before: Place | undefined;
  /** The first after it. */
  readonly behind: Place | undefined;
}

/**
 * Places that were given away and are not in the store yet. Several records are processed for one commit: what is
 * put between them must find them.
 */
export class Uncommitted {
  readonly #rooms = new Map<RoomId, Map<string, UncommittedPlace>>();

  /** An entry gets a place. */
  add({ room, sequence, type }: HistoryEntry, order: string): void {
    if (isBeside(type)) return;
    const places = this.#rooms.get(room) ?? new Map<string, UncommittedPlace>();
    this.#rooms.set(room, places.set(sequenceKey(room, sequence), { sequence, order, type }));
  }

  at(room: RoomId, sequence: number): UncommittedPlace | undefined {
    return this.#rooms.get(room)?.get(sequenceKey(room, sequence));
  }

  around(room: RoomId, sequence: number): Neighbours {
    let before: Place | undefined;
    let behind: Place | undefined;
    for (const place of this.#rooms.get(room)?.values() ?? []) {
      if (place.sequence <= sequence) {
        if (!before || place.sequence > before.sequence) before = place;
      } else if (!behind || place.sequence < behind.sequence) behind = place;
    }
    return { before, behind };
  }

  /** These changes are in the store. */
  settle(committed: readonly StoreChange[]): void {
    if (this.#rooms.size === 0) return;
    for (const { table, key } of committed) {
      if (table !== "history-index") continue;
      for (const [room, places] of this.#rooms)
        if (places.delete(key) && places.size === 0) this.#rooms.delete(room);
    }
  }
}

/** The place that a row of the index by sequence names. */
export function placeOf(row: StoreEntry | undefined): Place | undefined {
  return row && { sequence: sequenceOfKey(row.key), order: textOf(row.value) };
}
