import type { Turns } from "@sotto/actor";
import type { Incarnation, Log, Topic } from "@sotto/log";
import type { DeviceId, RoomId } from "@sotto/protocol";
import type { Outbox } from "../connection/outbox.ts";
import { encodeRoomRecord } from "./encode-record.ts";
import type { RoomRecord } from "./room-record.ts";
import type { RoomTail, TailReader } from "./room-tail.ts";

export interface SubscriptionOptions {
  readonly log: Log;
  readonly tail: RoomTail;
  readonly room: RoomId;
  readonly topic: Topic;
  readonly incarnation: Incarnation;
  readonly device: DeviceId;
  readonly outbox: Pick<Outbox, "push" | "below" | "waitingBytes">;
  /** Of all that its connection reads: a page is in memory only in its turn. */
  readonly turns: Turns;
  /** Records after this sequence are wanted, and allowed. */
  readonly after: number;
  /** Catching up waits while more than this waits in the outbox. */
  readonly outboxBytesMax: number;
  /** The device was removed; the removing record is on its way. */
  readonly removed: () => void;
  /** Reading cannot go on. */
  readonly failed: (error: unknown) => void;
  /** Disposed before any of the two. Exactly one of the three is called, once. */
  readonly disposed: () => void;
}

/** Records read at first: most readers miss but a few. */
const firstPageRecords = 32;
const pageRecordsMax = 1024;
const pageBytesMax = 512 * 1024;

/**
 * One device's reading of one room: pages of the log at the pace at which the client takes them,
 * then the live tail, without a gap and without a double. While it catches up it goes no further
 * than the tail has folded, so that a removal is seen before anything after it is delivered.
 */
export class Subscription implements TailReader, AsyncDisposable {
  readonly device: DeviceId;
  readonly #options: SubscriptionOptions;
  #cursor: number;
  #removedAt: number | undefined;
  #ended = false;
  #catchingUp: Promise<void> | undefined;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.device = options.device;
    this.#cursor = options.after;
    options.tail.enter(this);
  }

  /** Lets records flow. To be called once, after the client was told that they will. */
  begin(): void {
    if (this.#options.tail.join(this, this.#cursor)) return;
    this.#catchingUp = this.#catchUp().catch((error: unknown) => this.failed(error));
  }

  deliver(record: RoomRecord): void {
    if (this.#ended) return;
    this.#cursor = record.sequence;
    this.#options.outbox.push(record.frame);
  }

  removed(sequence: number): void {
    this.#removedAt = sequence;
    if (this.#cursor >= sequence) this.#end(this.#options.removed);
  }

  failed(error: unknown): void {
    this.#end(() => this.#options.failed(error));
  }

  /** No more records. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(this.#options.disposed);
    await this.#catchingUp;
  }

  async #catchUp(): Promise<void> {
    const { tail, turns } = this.#options;
    let limit = firstPageRecords;
    while (!this.#ended) {
      if (this.#removedAt === undefined && tail.join(this, this.#cursor)) return;
      const records = await turns.run(() => this.#page(limit));
      if (this.#ended) return;
      const removed = this.#removedAt;
      if (removed !== undefined && (this.#cursor >= removed || records === 0))
        return this.#end(this.#options.removed);
      limit = pageRecordsMax;
    }
  }

  /** Delivers one page at the pace at which the client takes it. How many records it had. */
  async #page(limit: number): Promise<number> {
    if (this.#ended) return 0;
    const { log, topic, incarnation, outbox, outboxBytesMax, room } = this.#options;
    const after = this.#cursor;
    const page = await log.read({ topic, after, incarnation, limit, bytesMax: pageBytesMax });
    for (const record of page) {
      if (record.sequence > this.#allowedTo()) break;
      this.deliver(encodeRoomRecord(room, record));
      if (outbox.waitingBytes > outboxBytesMax / 2) await outbox.below(outboxBytesMax / 4);
      if (this.#ended) break;
    }
    return page.length;
  }

  /** How far this device may be read to: what the tail has folded, or its own removal. */
  #allowedTo(): number {
    return this.#removedAt ?? this.#options.tail.position;
  }

  #end(tell: () => void): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.tail.leave(this);
    tell();
  }
}
