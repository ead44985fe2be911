import type { MessageId, RoomId } from "@sotto/protocol";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";

/** A message that this device wants to have in a room, as encoded Content. */
export interface OutboxEntry {
  readonly key: string;
  readonly room: RoomId;
  readonly id: MessageId;
  readonly content: Uint8Array;
}

/** Messages that may be held for all rooms together; a send beyond it is refused. */
export const outboxEntriesMax = 10_000;

/**
 * Plaintext that is not known to be in its room yet. An entry is stored before anything of it is
 * sealed, and goes when the room's own record of it was seen: in the same commit as that record's
 * history entry, so a message is never in both and never in neither.
 */
export class Outbox {
  readonly #entries = new Map<string, OutboxEntry>();
  #next: number;

  private constructor(next: number) {
    this.#next = next;
  }

  static async open(store: ProfileStore): Promise<Outbox> {
    const rows = await store.scan("outbox", { limit: outboxEntriesMax });
    const lastKey = rows.at(-1)?.key;
    const outbox = new Outbox(lastKey ? Number(lastKey.slice(0, 16)) + 1 : 1);
    for (const { key, value } of rows) {
      const [, room, id] = key.split("/") as [string, RoomId, MessageId];
      outbox.#entries.set(`${room}/${id}`, { key, room, id, content: value });
    }
    return outbox;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** An entry that is next in order; `remember` takes it in once it is committed under its key. */
  draft(room: RoomId, id: MessageId, content: Uint8Array): OutboxEntry {
    return { key: `${String(this.#next++).padStart(16, "0")}/${room}/${id}`, room, id, content };
  }

  remember(entry: OutboxEntry): void {
    this.#entries.set(`${entry.room}/${entry.id}`, entry);
  }

  find(room: RoomId, id: MessageId): OutboxEntry | undefined {
    return this.#entries.get(`${room}/${id}`);
  }

  /** Entries of a room in the order in which they were added. */
  of(room: RoomId): OutboxEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.room === room);
  }

  /** The change that strikes an entry; call `forget` after it was committed. */
  strike(entry: OutboxEntry): StoreChange {
    return { table: "outbox", key: entry.key, value: undefined };
  }

  /** The change that gives an entry another content; call `rewritten` after it was committed. */
  rewrite(entry: OutboxEntry, content: Uint8Array): StoreChange {
    return { table: "outbox", key: entry.key, value: content };
  }

  rewritten({ key, room, id }: OutboxEntry, content: Uint8Array): void {
    if (this.#entries.has(`${room}/${id}`))
      this.#entries.set(`${room}/${id}`, { key, room, id, content });
  }

  forget(entry: OutboxEntry): void {
    this.#entries.delete(`${entry.room}/${entry.id}`);
  }
}
