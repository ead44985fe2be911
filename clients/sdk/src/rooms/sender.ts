import {
  ErrorCode,
  fromHex,
  type MessageId,
  parseMessageId,
  Retry,
  SottoError,
  toSafeNumber,
} from "@sotto/protocol";
import type { Content } from "@sotto/protocol/content";
import { randomBytes } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { describe, isConnectionLoss, SottoClientError } from "../errors.ts";
import { Drafting } from "./drafting.ts";
import type { LeafName } from "./envelopes.ts";
import { messageAad } from "./open-content.ts";
import { type OutboxEntry, outboxEntriesMax } from "./outbox.ts";
import { revokedLeaves } from "./revoked-leaves.ts";
import type { RoomReplica } from "./room-replica.ts";
import { wasTakenOut } from "./room-state.ts";
import { takeBack } from "./take-back.ts";

/** Messages sealed and sent before their answers are awaited. */
const windowMessages = 32;
/** Generations reserved at once, before the first byte sealed under them leaves. */
const reservedGenerations = 128;
const stepTimeoutMs = 30_000;
const retryWaitMs = 500;
/** A record that is on its way when a message is refused for it. */
const comesWithinMs = 2000;
/** A revoked device is out of a room within this time, or people are told why sending waits. */
const takenOutWithinMs = 10_000;
const takenOut = "this device was removed from the room; nothing was sent";
/** No record says so: it was removed while it was away, or the server lost the room or what happened in it. */
const unknownToServer =
  "the server does not know this device in this room any more; nothing was sent. Either somebody took it out while it was away, or the server was set back to an older copy. A member who is in the room can add you again; where nobody is, make a new one";

/** Where a message of this device stands. */
export interface Sent {
  readonly room: string;
  readonly id: MessageId;
  /** The life of the log that the sequence counts in, hex: another one after the server's log was replaced. */
  readonly incarnation: string;
  /** Its place in the room's order. */
  readonly sequence: number;
}

interface Waiter {
  resolve(sent: Sent): void;
  reject(error: unknown): void;
}

/**
 * Sends this device's messages of one room in order. What is in the outbox stays there until the room
 * itself shows it, so nothing is lost by a crash and nothing stands twice after a reconnect.
 */
export class Sender {
  readonly #room: RoomReplica;
  readonly #drafting: Drafting;
  readonly #waiters = new Map<MessageId, Waiter>();
  /** Acknowledged, but not yet seen in the room's records: after how many subscriptions it was sent. */
  readonly #acknowledged = new Map<MessageId, number>();
  /** Sealed at least once, or in an earlier life of this client perhaps: may stand in the log, its content is fixed. */
  readonly #attempted = new Set<MessageId>();
  /** Called where a revoked device keeps messages waiting. */
  onRevokedLeaf: () => void = () => {};
  #running = false;
  #again = false;

  constructor(room: RoomReplica) {
    this.#room = room;
    this.#drafting = new Drafting(room);
    for (const { id } of room.context.outbox.of(room.room)) this.#attempted.add(id);
    room.onSettled = (id, sequence) => this.#settle(id as MessageId, sequence);
  }

  /**
   * Puts a message into the outbox and resolves when the server has it durably. Aborting withdraws it
   * where it surely was not sent; otherwise it stays and goes out when it can. Rejects with DIRECTORY_FORK and
   * DIRECTORY_WITHHELD where the key directory cannot be trusted, with CLOSED when the client is closed: what is in
   * the outbox stays there, and goes out when the profile is opened again.
   */
  async send(body: Content["body"], signal?: AbortSignal): Promise<Sent> {
    signal?.throwIfAborted();
    const { context } = this.#room;
    context.signal.throwIfAborted();
    const refusal = context.directory.refusal();
    if (refusal) throw refusal;
    const id = parseMessageId(randomBytes(16));
    if (context.outbox.size + this.#drafting.waiting >= outboxEntriesMax) {
      throw new SottoClientError(
        "TOO_LARGE",
        `${outboxEntriesMax} messages are waiting to be sent already`,
      );
    }
    const sent = new Promise<Sent>((resolve, reject) => this.#waiters.set(id, { resolve, reject }));
    sent.catch(() => {});
    await this.#drafting.add(id, body);
    const abort = () => {
      this.#withdraw(id, signal?.reason).catch((error) => this.#waiters.get(id)?.reject(error));
    };
    const close = () => this.#waiters.get(id)?.reject(context.signal.reason);
    signal?.addEventListener("abort", abort, { once: true });
    context.signal.addEventListener("abort", close, { once: true });
    if (context.signal.aborted) close();
    this.wake();
    try {
      return await sent;
    } finally {
      signal?.removeEventListener("abort", abort);
      context.signal.removeEventListener("abort", close);
      this.#waiters.delete(id);
    }
  }

  /** This device left the room and is in it again: whoever waits for a message of then waits for it here. */
  takeOver(before: Sender): void {
    for (const [id, waiter] of before.#waiters) this.#waiters.set(id, waiter);
  }

  /** Sends what is in the outbox, as far as it can be sent now. */
  wake(): void {
    this.#again = this.#running;
    if (this.#running) return;
    this.#running = true;
    void this.#run().finally(() => {
      this.#running = false;
      // What was added after the last look must not wait for the next message.
      if (this.#again) this.wake();
    });
  }

  #isOut(): boolean {
    return this.#room.state.phase === "left";
  }

  /** Who is removed waits for nothing any more. */
  #until(holds: () => boolean, timeoutMs: number): Promise<void> {
    return this.#room.until(() => this.#isOut() || holds(), timeoutMs);
  }

  #unsent(): OutboxEntry[] {
    return this.#room.context.outbox
      .of(this.#room.room)
      .filter(({ id }) => !this.#isAcknowledged(id));
  }

  /** A server may lose what it has acknowledged: what a later reading did not show up to the log's end goes again. */
  #isAcknowledged(id: MessageId): boolean {
    const sent = this.#acknowledged.get(id);
    const { caughtUp, subscriptions } = this.#room;
    return sent !== undefined && !(caughtUp && sent < subscriptions);
  }

  async #run(): Promise<void> {
    const { context } = this.#room;
    while (!context.signal.aborted && this.#unsent().length > 0) {
      // The room was entered anew: what waits is for the one that took over.
      if (this.#room.closed) return;
      const refusal = context.refusal() ?? context.directory.refusal();
      try {
        if (this.#isOut()) {
          // What waits goes out from the room that is entered anew.
          if (this.#room.letInAt > this.#room.state.cursor) return;
          return await this.#refuseAll();
        }
        if (refusal) return await this.#giveUp(refusal);
        const connection = await context.online(stepTimeoutMs, context.signal);
        await this.#until(
          () => this.#room.caughtUp && this.#room.state.phase === "active",
          stepTimeoutMs,
        );
        if (!this.#isOut()) await this.#window(connection);
      } catch (error) {
        if (context.signal.aborted) return;
        const refused = context.refusal() ?? context.directory.refusal();
        if (refused && !refusal) continue;
        if (!isConnectionLoss(error))
          context.notice(this.#room.room, `sending waits: ${describe(error)}`);
        await context.clock.sleep(retryWaitMs, context.signal).catch(() => {});
      }
    }
  }

  /** Seals and sends up to a window of messages under the present handshake record. */
  async #window(connection: Connection): Promise<void> {
    const sealed = await this.#seal();
    if (!sealed) return await this.#untilTakenOut();
    const outcomes = await Promise.all(
      sealed.map(async ({ entry, bytes, handshake }) => {
        try {
          return await this.#append(connection, entry, bytes, handshake);
        } catch (error) {
          return await this.#refused(entry, handshake, error);
        }
      }),
    );
    const stale = Math.max(...outcomes.map((outcome) => outcome ?? 0));
    if (stale > 0) await this.#untilFolded(connection, stale);
  }

  /** Waits for a handshake record that the server has; where it does not come, the room is read once more. */
  async #untilFolded(connection: Connection, sequence: number): Promise<void> {
    const folded = () => (this.#room.state.roster?.foldedTo ?? 0) >= sequence;
    try {
      await this.#until(folded, comesWithinMs);
    } catch (error) {
      if (this.#room.context.signal.aborted) throw error;
      await this.#room.missed(connection, sequence);
      await this.#until(folded, stepTimeoutMs);
    }
  }

  /** `undefined` while the group holds a revoked device: nothing is sealed for one. */
  #seal(): Promise<{ entry: OutboxEntry; bytes: Uint8Array; handshake: number }[] | undefined> {
    return this.#room.exclusive(async () => {
      const entries = this.#unsent().slice(0, windowMessages);
      const { group, state, room } = this.#room;
      if (!group || state.phase !== "active" || !state.roster) {
        throw new SottoClientError("NOT_IN_ROOM", "this device is not in the room now");
      }
      const refusal = this.#room.context.directory.refusal();
      if (refusal) throw refusal;
      if (this.#revoked().length > 0) return undefined;
      const needed = group.nextGeneration + entries.length;
      if (
        !state.reserved ||
        state.reserved.epoch !== group.epoch ||
        state.reserved.generation < needed
      ) {
        state.reserved = { epoch: group.epoch, generation: needed + reservedGenerations };
        await this.#room.persist([], false);
      }
      const handshake = state.roster.foldedTo;
      const sealed = [];
      for (const entry of entries) {
        this.#attempted.add(entry.id);
        const { sealed: bytes } = await group.seal(entry.content, messageAad(room, entry.id));
        sealed.push({ entry, bytes, handshake });
      }
      return sealed;
    });
  }

  #revoked(): LeafName[] {
    const { context, group } = this.#room;
    return group && context.checks.revokedLeaf ? revokedLeaves(context.directory, group) : [];
  }

  /** A member's device takes revoked ones out, this one too; what was to be sent goes out after that. */
  async #untilTakenOut(): Promise<void> {
    const { context, room } = this.#room;
    this.onRevokedLeaf();
    try {
      await this.#until(() => this.#revoked().length === 0, takenOutWithinMs);
    } catch (error) {
      const [leaf] = this.#revoked();
      if (!leaf || context.signal.aborted) throw error;
      const name = context.directory.directory.user(leaf.user)?.name ?? leaf.user;
      context.notice(room, `sending waits until a revoked device of ${name} is out of this room`);
    }
  }

  async #append(
    connection: Connection,
    entry: OutboxEntry,
    sealed: Uint8Array,
    handshake: number,
  ): Promise<0> {
    const value = {
      room: fromHex(entry.room),
      id: fromHex(entry.id),
      handshake: BigInt(handshake),
      sealed,
    };
    const { subscriptions } = this.#room;
    const answer = await connection.request({ case: "append", value }, "appended");
    if (this.#room.context.outbox.find(entry.room, entry.id))
      this.#acknowledged.set(entry.id, subscriptions);
    this.#told(entry.id, toSafeNumber(answer.position?.sequence ?? 0n));
    return 0;
  }

  /** Answers the handshake sequence to wait for, 0 to go on, or throws to wait and try again. */
  async #refused(entry: OutboxEntry, handshake: number, error: unknown): Promise<number> {
    if (!(error instanceof SottoError)) throw error;
    if (error.code === ErrorCode.STALE) {
      const last = error.handshake ?? 0;
      if (last > handshake) return last;
      // The server knows less of the room than this device: a replica that lags, or it was set back.
      await this.#room.context.clock.sleep(retryWaitMs, this.#room.context.signal);
      return 0;
    }
    if (error.retry !== Retry.NEVER && error.code !== ErrorCode.STORAGE_FULL) throw error;
    await this.#room.exclusive(() => this.#takeBack(entry));
    this.#attempted.delete(entry.id);
    this.#waiters.get(entry.id)?.reject(error);
    return 0;
  }

  /** The room shows the message. */
  #settle(id: MessageId, sequence: number): void {
    this.#acknowledged.delete(id);
    this.#attempted.delete(id);
    this.#told(id, sequence);
  }

  #told(id: MessageId, sequence: number): void {
    this.#waiters.get(id)?.resolve({
      room: this.#room.room,
      id,
      incarnation: this.#room.state.incarnation,
      sequence,
    });
  }

  async #withdraw(id: MessageId, reason: unknown): Promise<void> {
    await this.#room.exclusive(async () => {
      const entry = this.#room.context.outbox.find(this.#room.room, id);
      if (entry && !this.#attempted.has(id)) await this.#takeBack(entry);
    });
    this.#waiters.get(id)?.reject(reason);
  }

  /** The server will not have this device: what surely was not sent is taken back, and nobody waits any longer. */
  async #giveUp(refusal: Error): Promise<void> {
    for (const { id } of this.#unsent()) await this.#withdraw(id, refusal);
  }

  async #refuseAll(): Promise<void> {
    const { state, context } = this.#room;
    const why = wasTakenOut(state, context.profile.device) ? takenOut : unknownToServer;
    for (const entry of this.#unsent()) {
      await this.#room.exclusive(() => this.#takeBack(entry));
      this.#waiters.get(entry.id)?.reject(new SottoClientError("NOT_IN_ROOM", why));
    }
  }

  async #takeBack(entry: OutboxEntry): Promise<void> {
    const { context, state } = this.#room;
    const { outbox, store } = context;
    if (this.#room.closed || outbox.find(entry.room, entry.id) !== entry) return;
    const { changes, done } = await takeBack(outbox, state, entry, ({ id }) =>
      this.#attempted.has(id),
    );
    await store.commit(changes);
    done();
    this.#acknowledged.delete(entry.id);
  }
}
