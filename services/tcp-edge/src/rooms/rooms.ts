import type { Turns } from "@sotto/actor";
import type { Clock } from "@sotto/clock";
import type { Roster } from "@sotto/identity";
import type { Incarnation, Log, TopicHead } from "@sotto/log";
import { type DeviceId, ErrorCode, type RoomId, SottoError } from "@sotto/protocol";
import type { Outbox } from "../connection/outbox.ts";
import type { ReaderPosition } from "../session/reader-position.ts";
import { checkPosition } from "./check-position.ts";
import type { Follow } from "./follow.ts";
import { RecentMemory } from "./recent-memory.ts";
import { RoomTail } from "./room-tail.ts";
import type { Rosters } from "./rosters.ts";
import { Subscription } from "./subscription.ts";
import { topicOf } from "./topic.ts";

export interface RoomsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly follow: Follow;
  readonly rosters: Rosters;
  readonly outboxBytesMax: number;
  readonly delivered: (records: number) => void;
  /** A live record was lost, and is looked for. */
  readonly gapFound: () => void;
}

/** Somebody who wants a room's records. */
export interface RoomReader {
  readonly device: DeviceId;
  readonly outbox: Pick<Outbox, "push" | "below" | "waitingBytes">;
  /** Shared by all that the connection reads. */
  readonly turns: Turns;
  readonly removed: () => void;
  readonly failed: (error: unknown) => void;
}

/** A subscription that stands but does not deliver before `begin`. */
export interface RoomReading {
  readonly incarnation: Incarnation;
  /** The room's last sequence now. */
  readonly head: number;
  /** The first sequence that the device may read. */
  readonly from: number;
  readonly subscription: Subscription;
}

interface OpenRoom {
  readonly tail: Promise<RoomTail>;
  /** Readings that stand or are about to. */
  readers: number;
}

const recentRecordsMax = 256;
/** How long a tail may take to fold what the keyserver knows already. */
const catchUpMs = 2000;
/** How long a live record may be late before it counts as lost. */
const expectMs = 500;
const recentBytesMax = 1024 * 1024;
const recentBytesOfAllMax = 64 * 1024 * 1024;

/** The rooms that are read on this edge: one tail each, open while anybody reads. */
export class Rooms implements AsyncDisposable {
  readonly #options: RoomsOptions;
  readonly #open = new Map<RoomId, OpenRoom>();
  readonly #tails = new Map<RoomId, RoomTail>();
  readonly #recentMemory = new RecentMemory(recentBytesOfAllMax);

  constructor(options: RoomsOptions) {
    this.#options = options;
  }

  /** Rooms with a tail. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Prepares to deliver a room's records after `sequence`. Rejects with NOT_A_MEMBER, UNKNOWN_ROOM
   * or LOG_RESET (`SottoError`), or with what the log or the bus says.
   */
  async subscribe(room: RoomId, reader: RoomReader, after: ReaderPosition): Promise<RoomReading> {
    const { log, rosters, outboxBytesMax } = this.#options;
    const topic = topicOf(room);
    const roster = await rosters.member(room, reader.device);
    if (!roster) throw await this.#notAMember(room);
    const opened = this.#enter(room);
    try {
      const [tail, head] = await Promise.all([opened.tail, log.head(topic)]);
      await checkPosition(log, topic, after, head);
      if (roster.foldedTo > tail.roster.foldedTo) {
        // A hint was faster than the live record.
        await this.#reach(tail, roster.foldedTo);
      }
      const member = tail.roster.devices.get(reader.device);
      if (!member) throw await this.#notAMember(room);
      if (tail.failure !== undefined) throw tail.failure;
      const subscription = new Subscription({
        log,
        tail,
        room,
        topic,
        incarnation: head.incarnation,
        device: reader.device,
        outbox: reader.outbox,
        turns: reader.turns,
        after: Math.max(after.sequence, member.entered - 1),
        outboxBytesMax,
        removed: () => {
          this.#leave(room, opened);
          reader.removed();
        },
        failed: (error) => {
          this.#leave(room, opened);
          reader.failed(error);
        },
        disposed: () => this.#leave(room, opened),
      });
      const { incarnation, last } = head;
      return { incarnation, head: last, from: member.entered, subscription };
    } catch (error) {
      this.#leave(room, opened);
      throw error;
    }
  }

  /** True where somebody here reads the room: its tail folds handshake records by itself. */
  isRead(room: RoomId): boolean {
    return this.#tails.has(room);
  }

  /** The keyserver knows this handshake record of a room. Where its tail misses it for too long, it looks for it. */
  expect(room: RoomId, handshake: number): void {
    const tail = this.#tails.get(room);
    if (!tail || tail.roster.foldedTo >= handshake) return;
    this.#options.clock.after(expectMs, () => {
      if (this.#tails.get(room) !== tail || tail.roster.foldedTo >= handshake) return;
      this.#options.gapFound();
      tail.poke();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    this.#tails.clear();
    await Promise.all(
      open.map(async ({ tail }) => (await tail.catch(() => undefined))?.[Symbol.dispose]()),
    );
  }

  #enter(room: RoomId): OpenRoom {
    const open = this.#open.get(room);
    if (open) {
      open.readers += 1;
      return open;
    }
    this.#options.rosters.keep(room);
    const opening: OpenRoom = { tail: this.#openTail(room), readers: 1 };
    this.#open.set(room, opening);
    opening.tail.then(
      (tail) => {
        if (this.#open.get(room) === opening) this.#tails.set(room, tail);
      },
      () => undefined,
    );
    return opening;
  }

  #leave(room: RoomId, open: OpenRoom): void {
    open.readers -= 1;
    if (open.readers > 0 || this.#open.get(room) !== open) return;
    this.#open.delete(room);
    this.#tails.delete(room);
    this.#options.rosters.release(room);
    void open.tail.then((tail) => tail[Symbol.dispose]()).catch(() => undefined);
  }

  async #openTail(room: RoomId): Promise<RoomTail> {
    const { log, follow, rosters, delivered } = this.#options;
    const topic = topicOf(room);
    const roster = rosters.get(room) ?? (await rosters.refresh(room));
    if (!roster) throw new SottoError(ErrorCode.UNKNOWN_ROOM, "there is no such room");
    const head = await log.head(topic);
    return new RoomTail({
      log,
      follow,
      room,
      topic,
      roster,
      incarnation: head.incarnation,
      start: startOf(roster, head),
      recentRecordsMax,
      recentBytesMax,
      recentMemory: this.#recentMemory,
      folded: (folded) => rosters.put(folded),
      delivered,
    });
  }

  async #reach(tail: RoomTail, sequence: number): Promise<void> {
    const impatience = new AbortController();
    const timer = this.#options.clock.after(catchUpMs, () => impatience.abort());
    await tail.reach(sequence, impatience.signal);
    timer.cancel();
  }

  async #notAMember(room: RoomId): Promise<SottoError> {
    const roster = this.#options.rosters.get(room) ?? (await this.#options.rosters.refresh(room));
    return roster
      ? new SottoError(ErrorCode.NOT_A_MEMBER, "this device is not in the room")
      : new SottoError(ErrorCode.UNKNOWN_ROOM, "there is no such room");
  }
}

/** Where a tail begins: at the log's end, unless handshake records after the roster are still to be folded. */
function startOf(roster: Roster, head: TopicHead): number {
  return head.handshake > roster.foldedTo ? roster.foldedTo : head.last;
}
