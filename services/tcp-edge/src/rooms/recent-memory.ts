import type { RoomRecord } from "./room-record.ts";

/** Somebody who keeps records that went by. */
export interface RecordKeeper {
  /** Lets go of its oldest record, and releases it. */
  dropOldest(): void;
}

/** What a record costs beside its bytes. */
const overheadBytes = 256;

/** Memory for the recent records of all rooms: where it would be too much, the oldest go, of whichever room. */
export class RecentMemory {
  readonly #bytesMax: number;
  /** In the order in which they came. */
  readonly #held = new Map<RoomRecord, RecordKeeper>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  hold(record: RoomRecord, keeper: RecordKeeper): void {
    this.#held.set(record, keeper);
    this.#bytes += costOf(record);
    for (const oldest of this.#held.values()) {
      if (this.#bytes <= this.#bytesMax) return;
      oldest.dropOldest();
    }
  }

  release(record: RoomRecord): void {
    if (this.#held.delete(record)) this.#bytes -= costOf(record);
  }
}

function costOf({ frame }: RoomRecord): number {
  return frame.length + overheadBytes;
}
