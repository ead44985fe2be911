/**
 * The store port: what one device keeps. A table of keys and values per concern.
 *
 * Promise: `commit` makes all of its changes or none, whatever ends the process, and they are durable once it
 * resolved; of changes of one key the last one counts. So what belongs together (group state, history entry,
 * cursor) goes into one `commit`. Every reader sees what was committed before. `scan` answers keys in
 * ascending order of their characters. Values are owned by the reader, and `commit` keeps none of the
 * caller's bytes. Keys have 1 to 1,000 characters, printable ASCII, in the form of their table (table-keys.ts);
 * others, and ranges that a table is not made for, reject with `RangeError`. What is deleted or replaced is not
 * to be found afterwards.
 *
 * A store on a disk keeps values and names so that they say nothing without the profile's key, except how many
 * there are, how long, and in which order.
 */
export type StoreTable =
  /** Profile, cursors of the directory, small values. */
  | "meta"
  /** Directory records by index. */
  | "directory"
  /** Room states by room. */
  | "rooms"
  /** MLS group states by room: what stays through an epoch. Earlier versions kept all of it here. */
  | "groups"
  /** The ratchets that belong to a group state, by room: what moves with every message. */
  | "ratchets"
  /** History entries by local order. */
  | "history"
  /** History orders by room and sequence, by device and message id, and of deletions by object, room and sender. */
  | "history-index"
  /** Messages as they were said, by the order of their entry. */
  | "remembered"
  /** Orders of entries that are not known to be in the archive yet; a row may hold a run of them. */
  | "archive-queue"
  /** Keys of the archive, by their ids. */
  | "archive-keys"
  /** What was told to newcomers last, by room. */
  | "history-shares"
  /** Messages that are not known to be in the room yet, by local order. */
  | "outbox"
  /** Secrets of published KeyPackages by reference. */
  | "key-packages"
  /** Media objects that were announced, by object and room. */
  | "media"
  /** Uploads that are not finished, by file. */
  | "uploads"
  /** Chains of the devices heard in a room, by room and device. */
  | "senders"
  /** Records that could not be opened, by room. */
  | "aside"
  /** This device's own last messages of each room, to say them again. */
  | "sent";

/** One row to put or to delete. */
export interface StoreChange {
  readonly table: StoreTable;
  readonly key: string;
  /** `undefined` deletes. */
  readonly value: Uint8Array | undefined;
}

/** One row as it is stored. */
export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Which rows of a table are wanted, in which order. */
export interface ScanRange {
  /** Keys greater than this one. */
  readonly after?: string;
  /** Keys that begin with this. */
  readonly prefix?: string;
  /** Rows at the most. */
  readonly limit: number;
  /** From the greatest key down; `after` then means: less than. */
  readonly reverse?: boolean;
}

/** What a device keeps, in tables of keys and values; the promise stands at the head of this file. */
export interface ProfileStore extends AsyncDisposable {
  /** The value under a key, `undefined` where there is none. */
  get(table: StoreTable, key: string): Promise<Uint8Array | undefined>;
  /** Rows of a range, ascending by their keys. */
  scan(table: StoreTable, range: ScanRange): Promise<readonly StoreEntry[]>;
  /** Makes all of the changes, durably, or none. */
  commit(changes: readonly StoreChange[]): Promise<void>;
}
