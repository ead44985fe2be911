import { create } from "@bufbuild/protobuf";
import { Serial } from "@sotto/actor";
import type { Group } from "@sotto/mls";
import {
  ErrorCode,
  fromHex,
  PositionSchema,
  RecordKind,
  type Record as RecordMessage,
  type RoomId,
  toHex,
  toSafeNumber,
} from "@sotto/protocol";
import { queuedInRuns } from "../archive/archive-queue.ts";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { describe, isConnectionLoss, serverError } from "../errors.ts";
import { isOfObject } from "../media/announcements.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import { stepHandshake } from "./handshake-step.ts";
import { type Kept, KeptAside } from "./kept-aside.ts";
import { openEarly, type StepResult, stepMessage } from "./message-step.ts";
import { MissingRecords, RecordsMissing, shownUpTo } from "./missing-records.ts";
import { ReadAnew } from "./read-anew.ts";
import type { RoomContext } from "./room-context.ts";
import { isHearsay, type RoomState } from "./room-state.ts";
import { SenderChains } from "./sender-chains.ts";
import { SentContents } from "./sent-contents.ts";
import { groupUpdate, lastOfEach, stateChanges } from "./stored-changes.ts";
import { unsubscribe } from "./unsubscribe.ts";
import { Waiting } from "./waiting.ts";

/** Records that wait here; beyond it the subscription is renewed from the cursor once they are done. */
const incomingRecordsMax = 2048;
/** Records that are processed and stored at once. While a room catches up, a batch waits a moment to be that large. */
const batchRecordsMax = 512;
const resubscribeWaitMs = 1000;

interface IncomingRecord {
  readonly connection: Connection;
  readonly record: RecordMessage;
}

/**
 * One room on this device: takes its records in order, keeps group state, cursor and history in step.
 * Everything that touches the group runs in turn through `exclusive`.
 */
export class RoomReplica {
  readonly context: RoomContext;
  readonly state: RoomState;
  readonly chains: SenderChains;
  readonly aside: KeptAside;
  readonly sent: SentContents;
  group: Group | undefined;
  /** So often it was asked where the log ends: what was stored before the last time stands before that end. */
  subscriptions = 0;
  /** Where the server says that this device was let in: a removal that is read before it is not the last word. */
  letInAt = 0;
  /** Called after every batch of records, and when the room begins or ends to be caught up. */
  onAdvanced: () => void = () => {};
  /** Called with the position at which a message of this device stands. */
  onSettled: (id: string, sequence: number) => void = () => {};
  /** Called when this device answered somebody: the answers are in the outbox. */
  onReplies: () => void = () => {};

  readonly #serial = new Serial();
  readonly #incoming: IncomingRecord[] = [];
  /** Messages that were taken in and are not known to be stored yet. */
  readonly #seen = new Set<string>();
  /** Messages whose epoch may have begun with the last change. */
  #early: Kept[];
  readonly #waiting: Waiting;
  #pumping = false;
  #overflowed = false;
  #unsubscribed: Promise<void> | undefined;
  #subscribedOn: Connection | undefined;
  #subscribing: Promise<void> | undefined;
  #head = Number.POSITIVE_INFINITY;
  #closed = false;
  #retired = false;
  #anew: ReadAnew | undefined;
  readonly #missing = new MissingRecords();
  /** What a store that failed did not take: without it the next commit would skip over records. */
  #unsaved: readonly StoreChange[] = [];

  private constructor(
    context: RoomContext,
    state: RoomState,
    kept: { readonly chains: SenderChains; readonly aside: KeptAside },
    group: Group | undefined,
  ) {
    this.context = context;
    this.state = state;
    this.chains = kept.chains;
    this.aside = kept.aside;
    this.sent = new SentContents(context.store, state.room);
    this.#waiting = new Waiting(context);
    this.group = group;
    if (state.readAnew) this.#anew = ReadAnew.begin(state);
    // Where the process ended before they were opened.
    this.#early = kept.aside.early();
  }

  /** The room of a state, with what else the store holds of it. */
  static async open(context: RoomContext, state: RoomState, group?: Group): Promise<RoomReplica> {
    const { store } = context;
    const chains = await SenderChains.open(store, state.room);
    const aside = await KeptAside.open(store, state.room);
    return new RoomReplica(context, state, { chains, aside }, group);
  }

  get room(): RoomId {
    return this.state.room;
  }

  /** True while everything up to the room's head at the time of the last subscription is processed. */
  get caughtUp(): boolean {
    return (
      this.#subscribedOn !== undefined &&
      !this.#subscribedOn.closed &&
      this.state.cursor >= this.#head
    );
  }

  /** Runs `task` while nothing else touches the group. */
  exclusive<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#serial.run(task);
  }

  /** Asks for the room's records from the cursor on; once on a connection, whoever else wants it too. */
  async subscribe(connection: Connection): Promise<void> {
    if (this.state.phase === "left") return;
    // A login and the word that this device was let in come at the same time.
    if (this.#subscribedOn !== connection) this.#subscribing = this.#subscribe(connection);
    await this.#subscribing;
  }

  async #subscribe(connection: Connection): Promise<void> {
    this.#incoming.length = 0;
    this.#overflowed = false;
    this.#head = Number.POSITIVE_INFINITY;
    this.#subscribedOn = connection;
    // What was taken in before must be through, so that the cursor is right.
    await this.#serial.idle();
    // A newer connection may have taken over at any wait: then this one has no say any more.
    if (this.#subscribedOn !== connection) return;
    this.#missing.subscribing(connection, this.state);
    const { incarnation, cursor, cursorSha256 } = this.state;
    const after = create(PositionSchema, {
      incarnation: fromHex(incarnation),
      sequence: BigInt(cursor),
    });
    try {
      const afterSha256 = fromHex(cursorSha256);
      const value = { room: fromHex(this.room), after, afterSha256 };
      const answer = await connection.request({ case: "subscribe", value }, "subscribed");
      if (this.#subscribedOn !== connection) return;
      this.state.incarnation = toHex(answer.incarnation);
      this.#head = toSafeNumber(answer.head);
      this.subscriptions += 1;
    } catch (error) {
      if (this.#subscribedOn !== connection) return;
      if (serverError(error)?.code !== ErrorCode.LOG_RESET) {
        this.#subscribedOn = undefined;
        throw error;
      }
      this.context.notices.keep(this.room, "the room's log was replaced; reading it anew");
      this.#anew = ReadAnew.begin(this.state);
      return await this.#subscribe(connection);
    }
    this.#advanced();
  }

  /** A record of this room came. */
  take(connection: Connection, record: RecordMessage): void {
    if (connection !== this.#subscribedOn || this.#closed) return;
    if (this.#overflowed) return;
    if (this.#incoming.length >= incomingRecordsMax) {
      this.#overflowed = true;
      // The server need not send the rest now: it is asked for again from the cursor on.
      this.#unsubscribed = unsubscribe(connection, this.room);
      return;
    }
    for (const due of this.#missing.inPlace(record, this.room))
      this.#incoming.push({ connection, record: due });
    void this.#pump();
  }

  /** The server ended the subscription: begin again after a wait. */
  interrupted(connection: Connection): void {
    // Undefined where it could not be subscribed in the first place.
    if (this.#subscribedOn !== undefined && connection !== this.#subscribedOn) return;
    this.#subscribedOn = undefined;
    void this.context.clock
      .sleep(resubscribeWaitMs, this.context.signal)
      .then(async () => {
        if (this.#subscribedOn !== undefined || connection.closed) return;
        // Where it was this device that stopped reading, the server's subscription still stands.
        await unsubscribe(connection, this.room);
        if (this.#subscribedOn === undefined) await this.subscribe(connection);
      })
      .catch((error) => {
        if (!connection.closed && !this.context.signal.aborted)
          this.#interruptedAgain(connection, error);
      });
  }

  #interruptedAgain(connection: Connection, error: unknown): void {
    this.context.notice(this.room, `this room cannot be read now: ${describe(error)}`);
    if (this.#subscribedOn !== undefined) return;
    this.#subscribedOn = connection;
    this.interrupted(connection);
  }

  /** Resolves when `holds` answers true; asked after every batch. Rejects with NOT_REACHABLE after `timeoutMs`. */
  async until(holds: () => boolean, timeoutMs: number): Promise<void> {
    await this.#waiting.until(holds, timeoutMs);
  }

  /** Stores the room's state together with `changes`, and its group where it changed. */
  async persist(changes: readonly StoreChange[], groupChanged: boolean): Promise<void> {
    if (this.#retired) return;
    const { history, notices } = this.context;
    const noticed = notices.changesFor(history, this.room, this.state.cursor);
    const all = [...this.#unsaved, ...queuedInRuns(changes), ...noticed];
    const group = groupChanged && this.state.phase !== "left" ? this.group?.toStore() : undefined;
    all.push(...stateChanges(this.state), ...groupUpdate(this.room, group));
    this.#unsaved = lastOfEach(all);
    if (isHearsay(this.state)) return;
    await this.context.store.commit(this.#unsaved);
    this.#unsaved = [];
    this.sent.committed();
    group?.stored();
    if (noticed.length > 0) history.announce(noticed);
  }

  /** The server says that this device is not in the room any more. */
  async leave(): Promise<void> {
    this.state.phase = "left";
    await this.exclusive(() => this.persist([], false));
    this.#advanced();
  }

  /** The room was entered anew: what the store keeps of it is another replica's from now on. */
  async retire(): Promise<void> {
    this.close();
    await this.exclusive(async () => {
      this.#retired = true;
    });
  }

  /** True once this replica takes nothing any more. */
  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    this.#incoming.length = 0;
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#incoming.length + this.#early.length > 0 && !this.#closed) {
        // Opening may be synchronous all through: whoever else has work gets a turn, and more records come in.
        if (!this.caughtUp) await this.context.clock.sleep(0, this.context.signal);
        await this.exclusive(async () => {
          await this.#batch();
          if (this.#anew && this.caughtUp) await this.#readAnew();
        });
        this.#advanced();
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#pumping = false;
    }
    if (this.#overflowed) await this.#subscribeAgain();
  }

  /** Asks for what overflowed, once what was taken in is through. */
  async #subscribeAgain(): Promise<void> {
    const connection = this.#subscribedOn;
    await this.#unsubscribed;
    if (!connection || connection !== this.#subscribedOn || connection.closed) return;
    this.#subscribing = this.#subscribe(connection);
    await this.#subscribing.catch(() => {
      if (this.#subscribedOn === undefined) this.#subscribedOn = connection;
      this.interrupted(connection);
    });
  }

  /** Processes what waits, and stores the result in one commit. */
  async #batch(): Promise<void> {
    const results: { result: StepResult; sequence: number }[] = [];
    let last: RecordMessage | undefined;
    try {
      while (results.length < batchRecordsMax) {
        const early = this.#early.shift();
        const next = this.#incoming[0];
        if (early) {
          const sequence = this.state.cursor;
          results.push({
            result: await openEarly({ ...this.#parts(), sequence }, early),
            sequence,
          });
        } else if (next) {
          const sequence = toSafeNumber(next.record.sequence);
          if (sequence > this.state.cursor && this.state.phase !== "left") {
            results.push({ result: await this.#step(next, sequence), sequence });
            this.state.cursor = sequence;
            last = next.record;
          }
          if (this.#incoming[0] === next) this.#incoming.shift();
        } else break;
        // What follows may be of the same object, and must see whose it is.
        if (results.at(-1)?.result.changes.some(isOfObject)) break;
      }
    } finally {
      if (last) this.state.cursorSha256 = toHex(await sha256(last.data));
      if (results.length > 0) {
        const changed = results.some(({ result }) => result.groupChanged);
        const changes = results.flatMap(({ result }) => result.changes);
        await this.persist(changes, changed);
        this.#seen.clear();
        for (const { result, sequence } of results) {
          this.#reply(result);
          if (!result.settled) continue;
          this.context.outbox.forget(result.settled);
          this.onSettled(result.settled.id, sequence);
        }
        this.context.history.announce(changes);
      }
    }
  }

  async #step({ connection, record }: IncomingRecord, sequence: number): Promise<StepResult> {
    if (record.kind === RecordKind.MESSAGE) {
      // Of before this device came.
      if (this.state.phase === "entering") return { changes: [], groupChanged: false };
      return await stepMessage({ ...this.#parts(), sequence }, record.data);
    }
    if (await this.#anew?.take({ ...this.#parts(), connection, sequence }, record.data))
      return { changes: [], groupChanged: false };
    const readAgain = this.#missing.readAgain(sequence);
    const { result, group } = await stepHandshake(
      { ...this.#parts(), connection, sequence, readAgain },
      record.data,
    );
    this.group = group;
    // They come before the next record, whose epoch may be another one again.
    this.#early = this.aside.early();
    return { ...result, groupChanged: true };
  }

  /** A handshake record that the server has did not come: the room is read once more, with what it shows. */
  async missed(connection: Connection, sequence: number): Promise<void> {
    if (this.#missing.readAgain(sequence)) return;
    await this.exclusive(async () => {
      const shown = await shownUpTo(this.context, connection, this.state, sequence);
      this.#failed(new RecordsMissing(sequence, shown));
    });
  }

  async #readAnew(): Promise<void> {
    this.#anew?.settle(this.state);
    this.#anew = undefined;
    await this.persist([], false);
  }

  #reply({ replies = [] }: StepResult): void {
    for (const entry of replies) this.context.outbox.remember(entry);
    if (replies.length > 0) this.onReplies();
  }

  #parts() {
    const { context, state, group, chains, aside, sent } = this;
    return { context, state, group, chains, aside, sent, seen: this.#seen };
  }

  #failed(error: unknown): void {
    if (this.#closed || this.context.signal.aborted) return;
    const connection = this.#subscribedOn;
    if (error instanceof RecordsMissing) {
      this.#missing.found(error, this.state);
    } else if (!isConnectionLoss(error)) {
      this.context.notice(this.room, `a record could not be processed: ${describe(error)}`);
    }
    this.#incoming.length = 0;
    if (connection && !connection.closed) this.interrupted(connection);
  }

  #advanced(): void {
    this.#waiting.wake();
    this.onAdvanced();
  }
}
