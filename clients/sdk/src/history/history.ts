import type { DeviceId, MessageId, RoomId } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { HistoryEntry, NumberedEntry } from "./history-entry.ts";

const pageEntries = 256;

export interface ListenOptions {
  readonly room?: RoomId;
  /** Entries with a greater sequence only. */
  readonly after?: number;
  /** Ends the iteration where nothing more is stored now, unless it follows. */
  readonly follow: boolean;
  /** Begins after this order instead of at the beginning. */
  readonly fromOrder?: number;
  readonly signal?: AbortSignal;
}

/**
 * This device's own history, in the store. Readers hold a place in it and wait for more, so a slow
 * reader costs nothing and misses nothing.
 */
export class History {
  readonly #store: ProfileStore;
  readonly #waiting = new Set<() => void>();
  #next: number;

  private constructor(store: ProfileStore, next: number) {
    this.#store = store;
    this.#next = next;
  }

  static async open(store: ProfileStore): Promise<History> {
    const [last] = await store.scan("history", { reverse: true, limit: 1 });
    return new History(store, last ? Number(last.key) + 1 : 1);
  }

  /** Changes that add an entry; the caller commits them, then calls `announce`. */
  changesFor(entry: HistoryEntry): StoreChange[] {
    const order = this.#next++;
    const key = orderKey(order);
    const changes: StoreChange[] = [
      { table: "history", key, value: utf8(JSON.stringify({ ...entry, order })) },
    ];
    if ("id" in entry) {
      changes.push({
        table: "history-index",
        key: indexKey(entry.room, entry.device, entry.id),
        value: utf8(key),
      });
    }
    return changes;
  }

  /** Changes that put another entry in the place of one, or take it out. Readers who have passed it are not told. */
  amend(order: number, entry: HistoryEntry | undefined): StoreChange[] {
    const value = entry && utf8(JSON.stringify({ ...entry, order }));
    return [{ table: "history", key: orderKey(order), value }];
  }

  /** The change that marks a message as processed, where it leaves no entry. */
  passed(room: RoomId, device: DeviceId, id: MessageId): StoreChange {
    return { table: "history-index", key: indexKey(room, device, id), value: new Uint8Array() };
  }

  /** True where this device's history holds that message already. */
  async holds(room: RoomId, device: DeviceId, id: MessageId): Promise<boolean> {
    return (await this.#store.get("history-index", indexKey(room, device, id))) !== undefined;
  }

  /** Wakes the readers after a commit. */
  announce(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** The order of the newest entry, 0 where there is none. */
  get last(): number {
    return this.#next - 1;
  }

  /** Entries in this device's own order. */
  async *read(options: ListenOptions): AsyncGenerator<NumberedEntry, void, undefined> {
    let after = options.fromOrder === undefined ? "" : orderKey(options.fromOrder);
    for (;;) {
      const seen = this.#next;
      const page = await this.#store.scan("history", { after, limit: pageEntries });
      for (const { key, value } of page) {
        after = key;
        const entry = JSON.parse(textOf(value)) as NumberedEntry;
        if (options.room !== undefined && entry.room !== options.room) continue;
        if (options.after !== undefined && entry.sequence <= options.after) continue;
        yield entry;
      }
      if (page.length === pageEntries) continue;
      if (!options.follow || options.signal?.aborted) return;
      if (seen === this.#next) await this.#more(options.signal);
    }
  }

  #more(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
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

function orderKey(order: number): string {
  return String(order).padStart(16, "0");
}

function indexKey(room: RoomId, device: DeviceId, id: MessageId): string {
  return `${room}/${device}/${id}`;
}
