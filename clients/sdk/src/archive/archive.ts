import { Serial } from "@sotto/actor";
import type { Clock } from "@sotto/clock";
import { type DeviceId, ErrorCode, type RoomId } from "@sotto/protocol";
import type { ArchivedEntry } from "@sotto/protocol/devices";
import { describe, mayPass, serverError } from "../errors.ts";
import type { History } from "../history/history.ts";
import { takeInOrder } from "../history/take-in-order.ts";
import { roomOf, sequenceOf, takeArchived } from "../history/take-memories.ts";
import type { ProfileStore } from "../ports/profile-store.ts";
import { type ArchiveIdentity, goodDevices, revokedDevices } from "./archive-identity.ts";
import { grantKeys, lacking, needsNewKey } from "./archive-keys.ts";
import type { ArchivePort } from "./archive-port.ts";
import { type ArchiveReading, readArchive } from "./archive-reader.ts";
import { ArchiveState } from "./archive-state.ts";
import { keepKeys, writeBatch } from "./archive-writer.ts";
import { queueAll } from "./queue-all.ts";

export interface ArchiveParts {
  readonly identity: ArchiveIdentity;
  readonly port: ArchivePort;
  readonly store: ProfileStore;
  readonly history: History;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** `context.checks.archive`. */
  readonly checked: boolean;
  /** What is remembered is not taken in: for who only passes the keys on. */
  readonly keysOnly?: boolean;
  /** Queues how this device knows its rooms, where no good device has put that into the archive. */
  queueAnchors?(): Promise<void>;
  /** Runs while nothing else changes what this device has of the room. */
  hold<Result>(room: RoomId, task: () => Promise<Result>): Promise<Result>;
  /** True while this device has something to do that people wait for. */
  busy(): boolean;
  /** Why nothing may be sealed now: the directory is forked, or records of it are held back. */
  refusal(): Error | undefined;
  /** Asks the server for newer records of the directory. */
  refreshDirectory(): Promise<void>;
  notice(text: string): void;
}

/** What is queued waits this long for more, so that a batch holds more than one message. */
const idleMs = 1000;
/** Own devices write one after another: what the first one archived, the others need not. */
const rankMs = 1500;
const rankMsMax = 9000;
const jitterMs = 500;
/** So often it gives way to what people wait for. */
const deferralsMax = 60;
const retryMs = 2000;
const retryMsMax = 300_000;

/**
 * What this person's devices remember, kept at the server for each other: sealed under keys that only they
 * have. Entries wait in a queue that is stored with them; a writer in the background takes it from there.
 */
export class Archive implements AsyncDisposable {
  readonly #parts: ArchiveParts;
  readonly #state: ArchiveState;
  /** Rooms of which something was taken in since the client was opened. */
  readonly taken = new Set<RoomId>();
  readonly #serial = new Serial();
  #waiting = false;
  #failures = 0;
  #deferrals = 0;
  /** So many of the user's devices were revoked when owed anchors were looked for last. */
  #revokedSeen: number | undefined;
  /** The server keeps no archives. */
  #unknown = false;

  private constructor(parts: ArchiveParts, state: ArchiveState) {
    this.#parts = parts;
    this.#state = state;
  }

  /** What a client does by itself: programs use `SottoClient.archive`. */
  static async open(parts: ArchiveParts): Promise<Archive> {
    return new Archive(parts, await ArchiveState.open(parts.store));
  }

  /** True where this device has read its archive at least once. */
  get known(): boolean {
    return this.#state.known.place !== undefined;
  }

  /** Takes in everything that the archive holds now. */
  async catchUp(): Promise<void> {
    await this.#serial.run(() => this.#read());
  }

  /** Something is queued, or the directory grew: acted on a little later. */
  wake(): void {
    if (this.#waiting || this.#parts.signal.aborted || this.#unknown) return;
    this.#waiting = true;
    const { clock, random } = this.#parts;
    const failed = this.#failures > 0 ? Math.min(retryMsMax, retryMs * 2 ** this.#failures) : 0;
    const waitMs = idleMs + this.#rankMs() + failed + random() * (jitterMs + failed);
    clock.after(waitMs, () => {
      this.#waiting = false;
      void this.#serial.run(() => this.#work());
    });
  }

  /** A new connection: what was refused before may go through now. */
  online(): void {
    this.#failures = 0;
    this.#unknown = false;
    this.wake();
  }

  /**
   * Writes everything that is queued. Resolves when the archive holds all that this device remembers. Rejects with
   * DIRECTORY_FORK or DIRECTORY_WITHHELD while nothing may be sealed.
   */
  async flush(): Promise<void> {
    await this.#serial.run(async () => {
      await this.#read();
      do this.#mustBeAllowed();
      while (await writeBatch({ ...this.#parts, state: this.#state }));
    });
  }

  /**
   * Gives the keys of the archive to a device, or a recovery phrase, that the directory holds as this user's.
   * Resolves when it can read everything. Rejects as `flush` does.
   */
  async grantDevice(device: DeviceId): Promise<void> {
    await this.#serial.run(async () => {
      await this.#read();
      this.#mustBeAllowed();
      const { identity, port, store } = this.#parts;
      const to = goodDevices(identity).filter(({ id }) => id === device);
      await store.commit(await grantKeys(identity, this.#state, port, to));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#serial.idle();
  }

  async #work(): Promise<void> {
    const { signal, store } = this.#parts;
    if (signal.aborted) return;
    if (this.#parts.busy() && this.#deferrals < deferralsMax) {
      this.#deferrals++;
      return this.wake();
    }
    this.#deferrals = 0;
    try {
      await this.#read();
      // By a directory that is not believed nobody knows who has the keys: the queue stays, and whoever settles it wakes.
      if (this.#parts.refusal()) return;
      const [queued] = await store.scan("archive-queue", { limit: 1 });
      const writing = { ...this.#parts, state: this.#state };
      await keepKeys(writing, queued !== undefined || this.#state.current?.key !== undefined);
      while (!signal.aborted && !this.#parts.refusal() && (await writeBatch(writing)));
      this.#failures = 0;
    } catch (error) {
      this.#failed(error);
    }
    if (!this.#parts.refusal() && this.#isOwed()) this.wake();
  }

  #mustBeAllowed(): void {
    const refusal = this.#parts.refusal();
    if (refusal) throw refusal;
  }

  #failed(error: unknown): void {
    const { signal } = this.#parts;
    if (signal.aborted) return;
    this.#failures = Math.min(this.#failures + 1, 16);
    if (serverError(error)?.code === ErrorCode.UNKNOWN_REQUEST) {
      this.#unknown = true;
      return;
    }
    // Said once for each connection, and tried again later.
    if (!mayPass(error) && this.#failures === 1)
      this.#parts.notice(`the archive of your history waits: ${describe(error)}`);
    this.wake();
  }

  /** How many own devices write before this one. */
  #rankMs(): number {
    const { identity } = this.#parts;
    const rank = goodDevices(identity).filter(({ id }) => id < identity.device).length;
    return Math.min(rankMsMax, rank * rankMs);
  }

  /** Keys are to be given or changed; or they are to come from another device, which nobody announces. */
  #isOwed(): boolean {
    const { identity } = this.#parts;
    const { current, known } = this.#state;
    if (lacking(identity, this.#state).length > 0) return true;
    if (current?.key !== undefined) return needsNewKey(identity, this.#state);
    const waits = current !== undefined || known.unopened !== undefined;
    if (waits) this.#failures = Math.min(this.#failures + 1, 16);
    return waits;
  }

  /** Of a room that a device knew which is revoked now, and nobody else has told yet, another one tells. */
  async #queueAnchors(): Promise<void> {
    const revoked = revokedDevices(this.#parts.identity).length;
    if (revoked === this.#revokedSeen) return;
    await this.#parts.queueAnchors?.();
    this.#revokedSeen = revoked;
  }

  async #read(): Promise<void> {
    await this.#queueAnchors();
    let refreshed: Promise<void> | undefined;
    const { port, store, identity, checked, keysOnly = false } = this.#parts;
    const reading: ArchiveReading = {
      ...{ port, store, identity, checked, keysOnly, state: this.#state },
      // Once for each time that it is read: nobody makes this device ask again and again.
      refreshDirectory: () => {
        refreshed ??= this.#parts.refreshDirectory();
        return refreshed;
      },
      take: (entries, writer) => this.#take(entries, writer),
      lost: () => queueAll(this.#parts),
    };
    await readArchive(reading);
  }

  /** Takes entries room by room, in the order of each. */
  async #take(all: readonly ArchivedEntry[], writer: DeviceId): Promise<void> {
    const { history, store, hold, identity, checked } = this.#parts;
    // How a revoked device knew a room is nobody's word, and leaves it to the others to say.
    const revokedAt = identity.directory.directory.device(writer)?.revokedAt;
    const believed = !checked || revokedAt === undefined;
    const entries = believed ? all : all.filter(({ anchor }) => !anchor);
    const roomAt = (index: number) => {
      const entry = entries[index];
      return entry && roomOf(entry);
    };
    for (let from = 0; from < entries.length; ) {
      const room = roomAt(from);
      let to = from + 1;
      while (to < entries.length && roomAt(to) === room) to++;
      const run = entries.slice(from, to);
      from = to;
      if (room) this.taken.add(room);
      const items = run.map((entry) => ({
        sequence: sequenceOf(entry),
        take: () => takeArchived(history, store, entry, writer),
      }));
      if (room) await hold(room, () => takeInOrder(history, store, items));
    }
  }
}
