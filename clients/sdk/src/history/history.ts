import type { DeviceId, MessageId, RoomId, UserId } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import { type HistoryEntry, isBeside, type NumberedEntry } from "./history-entry.ts";
import { bringHistoryUp } from "./history-format.ts";
import {
  deletedKey,
  idKey,
  orderAfter,
  orderBehind,
  orderOf,
  sequenceKey,
  titleKey,
} from "./history-keys.ts";
import { LateEntries } from "./late-entries.ts";
import { type Neighbours, placeOf, Uncommitted } from "./uncommitted.ts";

const pageEntries = 256;

/** Which part of a history is read, and whether it goes on. */
export interface ListenOptions {
  /** One room's entries only. */
  readonly room?: RoomId;
  /** Entries with a greater sequence only. */
  readonly after?: number;
  /** Ends the iteration where nothing more is stored now, unless it follows. */
  readonly follow: boolean;
  /** Begins after this order instead of at the beginning. */
  readonly fromOrder?: string;
  /** Called once, when everything that was stored has been given. */
  readonly caughtUp?: () => Promise<void>;
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal;
}

/** What is kept beside an entry, and where else it goes. */
export interface Keeping {
  /** A message as it was said, for the archive and for those who may be told: an encoded ArchivedEntry. */
  readonly message?: Uint8Array;
  /** The person's other devices may have it, by the archive. */
  readonly archive: boolean;
}

/**
 * This device's own history, in the store. Readers hold a place in it and wait for more, so a slow
 * reader costs nothing and misses nothing.
 */
export class History {
  readonly #store: ProfileStore;
  readonly #waiting = new Set<() => void>();
  readonly #late = new Set<LateEntries>();
  /** Places of what is not committed yet, by room and sequence. */
  readonly #uncommitted = new Uncommitted();
  /** Called after a commit that has something for the archive. */
  onQueued: () => void = () => {};
  #next: number;

  private constructor(store: ProfileStore, next: number) {
    this.#store = store;
    this.#next = next;
  }

  static async open(store: ProfileStore): Promise<History> {
    await bringHistoryUp(store);
    const [last] = await store.scan("history", { reverse: true, limit: 1 });
    return new History(store, last ? Number.parseInt(last.key, 10) + 1 : 1);
  }

  /** Changes that add an entry at the end; the caller commits them, then calls `announce` with them. */
  changesFor(entry: HistoryEntry, keeping?: Keeping): StoreChange[] {
    const order = orderOf(this.#next++);
    this.#uncommitted.add(entry, order);
    return changesAt(order, entry, keeping);
  }

  /**
   * Changes that put an entry at its place among those of its room: what was said before this device came, or
   * could not be opened when it came. It takes the place of a `history-unavailable` at the same sequence.
   * The caller holds the room (`RoomReplica.exclusive`), commits, then calls `announce`.
   */
  async placed(entry: HistoryEntry, keeping?: Keeping): Promise<StoreChange[]> {
    const order = await this.#placeOf(entry);
    this.#uncommitted.add(entry, order);
    const changes = changesAt(order, entry, keeping);
    // What is only told hides no deletion that was heard.
    if (entry.type === "media-deleted" && entry.toldBy) {
      const key = deletedKey(entry.object, entry.room, entry.sender);
      const known = await this.#store.get("history-index", key);
      return known ? changes.filter((change) => change.key !== key) : changes;
    }
    if (entry.type !== "title") return changes;
    const title = await this.#titleEntry(entry.room);
    const isOld = title !== undefined && title.sequence > entry.sequence;
    return isOld ? changes.filter(({ key }) => key !== titleKey(entry.room)) : changes;
  }

  async #placeOf(entry: HistoryEntry): Promise<string> {
    const { room, sequence } = entry;
    const there = this.#uncommitted.at(room, sequence) ?? (await this.at(room, sequence));
    if (there?.type === "history-unavailable") return there.order;
    const { before, behind } = await this.#around(room, sequence);
    if (!behind) return orderOf(this.#next++);
    return before ? orderAfter(before.order, entry) : orderBehind(behind.order, entry);
  }

  /** What stands in a room up to a sequence and after it, next to it, whether it is committed or not. */
  async #around(room: RoomId, sequence: number): Promise<Neighbours> {
    const prefix = sequenceKey(room);
    const [lower] = await this.#store.scan("history-index", {
      prefix,
      after: sequenceKey(room, sequence + 1),
      reverse: true,
      limit: 1,
    });
    const [upper] = await this.#store.scan("history-index", {
      prefix,
      after: sequenceKey(room, sequence),
      limit: 1,
    });
    const near = this.#uncommitted.around(room, sequence);
    const below = [near.before, placeOf(lower)].filter((place) => place !== undefined);
    const above = [near.behind, placeOf(upper)].filter((place) => place !== undefined);
    return {
      before: below.toSorted((a, b) => b.sequence - a.sequence)[0],
      behind: above.toSorted((a, b) => a.sequence - b.sequence)[0],
    };
  }

  /** Changes that put another entry in the place of one, or take it out. */
  amend(order: string, entry: HistoryEntry | undefined): StoreChange[] {
    return [{ table: "history", key: order, value: entry && utf8(JSON.stringify(entry)) }];
  }

  /** The change that marks a message as processed, where it leaves no entry. */
  passed(room: RoomId, device: DeviceId, id: MessageId): StoreChange {
    return { table: "history-index", key: idKey(room, device, id), value: new Uint8Array() };
  }

  /** True where this device's history holds that message already. */
  async holds(room: RoomId, device: DeviceId, id: MessageId): Promise<boolean> {
    return (await this.#store.get("history-index", idKey(room, device, id))) !== undefined;
  }

  /** The entry at a place. */
  async entry(order: string): Promise<NumberedEntry | undefined> {
    const value = await this.#store.get("history", order);
    return value && parseEntry(order, value);
  }

  /** What a room was called last, as far as this device remembers. */
  async title(room: RoomId): Promise<string | undefined> {
    const entry = await this.#titleEntry(room);
    return entry?.type === "title" ? entry.title : undefined;
  }

  /** True where the last that is remembered of a user in a room is that they were taken out. */
  async isGone(room: RoomId, user: UserId): Promise<boolean> {
    const prefix = sequenceKey(room);
    for (let before: string | undefined; ; ) {
      const after = before === undefined ? {} : { after: before };
      const range = { prefix, ...after, reverse: true, limit: pageEntries };
      const page = await this.#store.scan("history-index", range);
      for (const { key, value } of page) {
        before = key;
        const entry = await this.entry(textOf(value));
        if (entry?.type !== "membership" || !entry.users.includes(user)) continue;
        return entry.change === "removed" && entry.devicesOf?.includes(user) !== true;
      }
      if (page.length < pageEntries) return false;
    }
  }

  async #titleEntry(room: RoomId): Promise<NumberedEntry | undefined> {
    const order = await this.#store.get("history-index", titleKey(room));
    return order && (await this.entry(textOf(order)));
  }

  /** The entry of a room at a sequence; where there are several, the newest one. */
  async at(room: RoomId, sequence: number): Promise<NumberedEntry | undefined> {
    const order = await this.#store.get("history-index", sequenceKey(room, sequence));
    return order && (await this.entry(textOf(order)));
  }

  /** Wakes the readers after a commit; those who had passed the place of an entry in it get it now. */
  announce(committed: readonly StoreChange[] = []): void {
    let queued = false;
    this.#uncommitted.settle(committed);
    for (const { table, key, value } of committed) {
      if (table === "archive-queue" && value) queued = true;
      if (table !== "history" || value === undefined) continue;
      for (const late of this.#late) late.add(key);
    }
    for (const wake of [...this.#waiting]) wake();
    if (queued) this.onQueued();
  }

  /** The order of the newest entry, empty where there is none. */
  get last(): string {
    return this.#next === 1 ? "" : orderOf(this.#next - 1);
  }

  /** Entries in this device's own order; one that is put where a following reader was already comes at once. */
  async *read(options: ListenOptions): AsyncGenerator<NumberedEntry, void, undefined> {
    const late = new LateEntries(options.fromOrder ?? "");
    if (options.follow) this.#late.add(late);
    try {
      for (let told = false; !(told && options.signal?.aborted); ) {
        const seen = this.#next;
        const page = await this.#store.scan("history", {
          after: late.reached,
          limit: pageEntries,
        });
        late.reach(page);
        for (const { key, value } of page) {
          const entry = parseEntry(key, value);
          if (isWanted(entry, options)) yield entry;
        }
        for (const order of late.take()) {
          const value = await this.#store.get("history", order);
          if (!value || late.gave(order, value)) continue;
          const entry = parseEntry(order, value);
          if (isWanted(entry, options)) yield entry;
        }
        if (page.length === pageEntries) continue;
        if (!told) await options.caughtUp?.();
        told = true;
        if (!options.follow) return;
        if (seen === this.#next && !late.waiting) await this.#more(options.signal);
      }
    } finally {
      this.#late.delete(late);
    }
  }

  #more(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        this.#waiting.delete(wake);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }
}

function isWanted(entry: HistoryEntry, { room, after }: ListenOptions): boolean {
  if (room !== undefined && entry.room !== room) return false;
  return after === undefined || entry.sequence > after;
}

function parseEntry(order: string, value: Uint8Array): NumberedEntry {
  return { ...(JSON.parse(textOf(value)) as HistoryEntry), order };
}

function changesAt(order: string, entry: HistoryEntry, keeping?: Keeping): StoreChange[] {
  const place = utf8(order);
  const changes: StoreChange[] = [
    { table: "history", key: order, value: utf8(JSON.stringify(entry)) },
  ];
  if (!isBeside(entry.type)) {
    const key = sequenceKey(entry.room, entry.sequence);
    changes.push({ table: "history-index", key, value: place });
  }
  if ("id" in entry && entry.id !== undefined && entry.device !== undefined) {
    const key = idKey(entry.room, entry.device, entry.id);
    changes.push({ table: "history-index", key, value: place });
  }
  if (entry.type === "title")
    changes.push({ table: "history-index", key: titleKey(entry.room), value: place });
  if (entry.type === "media-deleted") {
    const key = deletedKey(entry.object, entry.room, entry.sender);
    changes.push({ table: "history-index", key, value: place });
  }
  if (keeping?.message) {
    changes.push({ table: "remembered", key: order, value: keeping.message });
  }
  if (keeping?.archive)
    changes.push({ table: "archive-queue", key: order, value: new Uint8Array() });
  return changes;
}
