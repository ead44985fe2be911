/**
 * The store port: what one device keeps. A table of keys and values per concern.
 *
 * Promise: `commit` is atomic, and durable once it resolved; `scan` answers keys in ascending
 * order of their characters. Values are owned by the reader.
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
  /** History orders by room and sequence, by device and message id, and of deleted objects. */
  | "history-index"
  /** Messages as they were said, by the order of their entry. */
  | "remembered"
  /** Orders of entries that are not known to be in the archive yet. */
  | "archive-queue"
  /** Messages that are not known to be in the room yet, by local order. */
  | "outbox"
  /** Secrets of published KeyPackages by reference. */
  | "key-packages"
  /** Media objects that were announced, by object. */
  | "media"
  /** Uploads that are not finished, by file. */
  | "uploads"
  /** Chains of the devices heard in a room, by room and device. */
  | "senders"
  /** Records that could not be opened, by room. */
  | "aside"
  /** This device's own last messages of each room, to say them again. */
  | "sent";

export interface StoreChange {
  readonly table: StoreTable;
  readonly key: string;
  /** `undefined` deletes. */
  readonly value: Uint8Array | undefined;
}

export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface ScanRange {
  /** Keys greater than this one. */
  readonly after?: string;
  /** Keys that begin with this. */
  readonly prefix?: string;
  readonly limit: number;
  readonly reverse?: boolean;
}

export interface ProfileStore extends AsyncDisposable {
  get(table: StoreTable, key: string): Promise<Uint8Array | undefined>;
  scan(table: StoreTable, range: ScanRange): Promise<readonly StoreEntry[]>;
  commit(changes: readonly StoreChange[]): Promise<void>;
}
