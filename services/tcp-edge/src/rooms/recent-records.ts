import type { RecentMemory, RecordKeeper } from "./recent-memory.ts";
import type { RoomRecord } from "./room-record.ts";

export interface RecentRecordsOptions {
  /** Records after this sequence are, or will be, in here. */
  readonly floor: number;
  readonly recordsMax: number;
  readonly bytesMax: number;
  /** Of all rooms. */
  readonly memory: RecentMemory;
}

/**
 * The last records of a room that went by, so that a reader who has nearly caught up can step over
 * to the live ones without a gap, however fast they come. Over a bound the oldest go.
 */
export class RecentRecords implements RecordKeeper {
  readonly #recordsMax: number;
  readonly #bytesMax: number;
  readonly #memory: RecentMemory;
  #records: (RoomRecord | undefined)[] = [];
  /** Where the oldest one is. */
  #first = 0;
  #bytes = 0;
  #floor: number;

  constructor(options: RecentRecordsOptions) {
    this.#floor = options.floor;
    this.#recordsMax = options.recordsMax;
    this.#bytesMax = options.bytesMax;
    this.#memory = options.memory;
  }

  add(record: RoomRecord): void {
    this.#records.push(record);
    this.#bytes += record.frame.length;
    this.#memory.hold(record, this);
    while (this.#records.length - this.#first > this.#recordsMax || this.#bytes > this.#bytesMax)
      this.dropOldest();
  }

  dropOldest(): void {
    const oldest = this.#records[this.#first];
    if (!oldest) return;
    this.#records[this.#first] = undefined;
    this.#first += 1;
    this.#bytes -= oldest.frame.length;
    this.#floor = oldest.sequence;
    this.#memory.release(oldest);
    if (this.#first <= this.#recordsMax) return;
    this.#records = this.#records.slice(this.#first);
    this.#first = 0;
  }

  /** Lets go of all of them. */
  clear(): void {
    while (this.#first < this.#records.length) this.dropOldest();
  }

  /** All records after `sequence`; undefined where some of them have gone already. */
  after(sequence: number): readonly RoomRecord[] | undefined {
    if (sequence < this.#floor) return undefined;
    const live = this.#records.slice(this.#first).filter((record) => record !== undefined);
    return live.filter((record) => record.sequence > sequence);
  }
}
