import type { MessageId } from "@sotto/protocol";
import type { Content } from "@sotto/protocol/content";
import type { StoreChange } from "../ports/profile-store.ts";
import { draftEntry } from "./draft-message.ts";
import type { OutboxEntry } from "./outbox.ts";
import type { RoomReplica } from "./room-replica.ts";
import { roomChange } from "./room-state.ts";

/** Messages that go into the outbox in one commit. */
const draftsMax = 256;

interface Draft {
  readonly id: MessageId;
  readonly body: Content["body"];
  resolve(): void;
  reject(error: unknown): void;
}

/** Puts messages of one room into the outbox: those that come while the store is busy share the next commit. */
export class Drafting {
  readonly #room: RoomReplica;
  readonly #waiting: Draft[] = [];
  #scheduled = false;

  constructor(room: RoomReplica) {
    this.#room = room;
  }

  /** Messages that are not in the outbox yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when the message is in the outbox, durably; messages go there in the order of the calls. */
  async add(id: MessageId, body: Content["body"]): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ id, body, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    void this.#room.exclusive(() => this.#store());
  }

  async #store(): Promise<void> {
    const { context, state } = this.#room;
    const drafts = this.#waiting.splice(0, draftsMax);
    this.#scheduled = false;
    this.#schedule();
    const entries: OutboxEntry[] = [];
    const changes: StoreChange[] = [];
    const stored: Draft[] = [];
    for (const draft of drafts) {
      try {
        const { entry, change } = await draftEntry(context, state, draft.body, draft.id);
        entries.push(entry);
        changes.push(change);
        stored.push(draft);
      } catch (error) {
        draft.reject(error);
      }
    }
    try {
      if (changes.length > 0) await context.store.commit([roomChange(state), ...changes]);
    } catch (error) {
      const why = context.signal.aborted ? context.signal.reason : error;
      for (const { reject } of stored) reject(why);
      return;
    }
    for (const entry of entries) context.outbox.remember(entry);
    for (const { resolve } of stored) resolve();
  }
}
