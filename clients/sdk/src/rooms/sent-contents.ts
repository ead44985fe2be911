import { type DeviceId, fromHex, type MessageId, type RoomId, toHex } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { LogPlace } from "./room-state.ts";

/** Messages of this device that it can say again, in each room. */
export const sentContentsMax = 1000;

/** Of messages of before readings were told apart: earlier than all. */
const unknownReading = -1;

/** A message of this device as it stands in a room. */
export interface SentContent {
  readonly senderSequence: number;
  readonly id: MessageId;
  /** In the room. */
  readonly place: LogPlace;
  /** Encoded Content, byte for byte as it was sealed. */
  readonly content: Uint8Array;
}

/** The last messages of this device in one room, and who asked for which of them again. */
export class SentContents {
  readonly #store: ProfileStore;
  readonly #room: RoomId;
  /** Rows that may not be in the store yet. */
  readonly #recent = new Map<string, Uint8Array>();

  constructor(store: ProfileStore, room: RoomId) {
    this.#store = store;
    this.#room = room;
  }

  /** The changes that keep a message; the oldest goes for it. */
  async keep({ senderSequence, id, place, content }: SentContent): Promise<StoreChange[]> {
    const json = JSON.stringify({ id, ...place, content: toHex(content) });
    const changes = [
      this.#put(this.#key("c", senderSequence), utf8(json)),
      this.#put(`${this.#room}/i/${id}`, utf8(String(senderSequence))),
    ];
    const oldest = senderSequence - sentContentsMax;
    const old = oldest > 0 ? await this.numbered(oldest) : undefined;
    if (!old) return changes;
    const gone = [this.#key("c", oldest), `${this.#room}/i/${old.id}`, this.#key("a", oldest)];
    for (const key of gone) {
      this.#recent.delete(key);
      changes.push({ table: "sent", key, value: undefined });
    }
    return changes;
  }

  /** The message with that id. */
  async named(id: MessageId): Promise<SentContent | undefined> {
    const number = await this.#get(`${this.#room}/i/${id}`);
    return number && (await this.numbered(Number(textOf(number))));
  }

  /** The message with that `sender_sequence`. */
  async numbered(senderSequence: number): Promise<SentContent | undefined> {
    const row = await this.#get(this.#key("c", senderSequence));
    if (!row) return undefined;
    const { id, sequence, reading = unknownReading, content } = JSON.parse(textOf(row));
    return { senderSequence, id, place: { reading, sequence }, content: fromHex(content) };
  }

  /** The change that notes that `asker` had the message again; `undefined` where it had it before. */
  async answer({ senderSequence }: SentContent, asker: DeviceId): Promise<StoreChange | undefined> {
    const key = this.#key("a", senderSequence);
    const row = await this.#get(key);
    const askers: string[] = row ? JSON.parse(textOf(row)) : [];
    if (askers.includes(asker)) return undefined;
    return this.#put(key, utf8(JSON.stringify([...askers, asker])));
  }

  /** What was handed out as changes until now is committed. */
  committed(): void {
    this.#recent.clear();
  }

  async #get(key: string): Promise<Uint8Array | undefined> {
    return this.#recent.get(key) ?? (await this.#store.get("sent", key));
  }

  #put(key: string, value: Uint8Array): StoreChange {
    this.#recent.set(key, value);
    return { table: "sent", key, value };
  }

  #key(kind: "c" | "a", senderSequence: number): string {
    return `${this.#room}/${kind}/${String(senderSequence).padStart(16, "0")}`;
  }
}
