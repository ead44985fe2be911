import type { Timer } from "@sotto/clock";
import { directRoomId, standingDevices } from "@sotto/identity";
import {
  checkTitle,
  EnvelopeKind,
  ErrorCode,
  fromHex,
  parseRoomId,
  type Record as RecordMessage,
  type RoomId,
  readsLikePerson,
  SottoError,
  toHex,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { randomBytes, sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError, serverError } from "../errors.ts";
import { addDevices } from "./changes.ts";
import { ComingIn } from "./coming-in.ts";
import { writeEnvelope } from "./envelopes.ts";
import { KnownRooms } from "./known-rooms.ts";
import { encodePolicy, type HistoryWord } from "./policy.ts";
import { restoreGroup } from "./restore-group.ts";
import type { Room } from "./room.ts";
import type { RoomContext } from "./room-context.ts";
import {
  isHearsay,
  newRoomState,
  parseRoomState,
  type RoomPhase,
  type RoomState,
} from "./room-state.ts";

const stepTimeoutMs = 30_000;
/** What no event calls for is looked at this often. */
const upkeepEveryMs = 3_600_000;

/** All rooms of this device: loads them, follows them, makes new ones. */
export class Rooms {
  readonly #context: RoomContext;
  /** The connection on which rooms are followed. */
  #resumed: Connection | undefined;
  readonly #known: KnownRooms;
  readonly #comingIn: ComingIn;
  readonly #upkeepTimer: Timer;

  private constructor(context: RoomContext) {
    this.#context = context;
    this.#known = new KnownRooms(context);
    this.#comingIn = new ComingIn(context, this.#known, {
      entered: (connection, room, sequence) => this.entered(connection, room, sequence),
      follow: (room, connection) => this.#follow(room, connection),
    });
    this.#upkeepTimer = context.clock.every(upkeepEveryMs, () => this.wakeUpkeep());
  }

  static async open(context: RoomContext): Promise<Rooms> {
    const rooms = new Rooms(context);
    for (let after = ""; ; ) {
      const page = await context.store.scan("rooms", { after, limit: 100 });
      for (const { key, value } of page) {
        after = key;
        await rooms.#load(parseRoomState(value));
      }
      if (page.length < 100) return rooms;
    }
  }

  /** Called whenever the set of rooms or one of them advanced. */
  onChanged(listener: () => void): void {
    this.#known.onChanged = listener;
  }

  all(): Room[] {
    return this.#known.all();
  }

  get(room: RoomId): Room | undefined {
    return this.#known.get(room);
  }

  /** Rooms that this device is in or should come into. */
  get expected(): number {
    const inside = this.all().filter(({ replica }) => replica.state.phase !== "left");
    return new Set([...inside.map(({ replica }) => replica.room), ...this.#comingIn.rooms()]).size;
  }

  /** Where this device stands in a room; one that it should come into is being entered, whatever is known of it. */
  phaseOf({ replica }: Room): RoomPhase {
    const { phase } = replica.state;
    return phase === "left" && this.#comingIn.has(replica.room) ? "entering" : phase;
  }

  /** Follows every room on a new connection, the ones that this device was let into meanwhile included. */
  async resume(connection: Connection): Promise<void> {
    this.#resumed = connection;
    const listed = await connection.request({ case: "listRooms", value: {} }, "roomList");
    const outside: RoomId[] = [];
    const inside: RoomId[] = [];
    for (const entry of listed.rooms) {
      const entered = toSafeNumber(entry.entered);
      const room = parseRoomId(entry.room);
      if (entered > 0) inside.push(room);
      if (entered > 0) await this.#ensure(room, entered);
      else if (!this.#known.isIn(room)) outside.push(room);
    }
    this.#comingIn.begin(connection, outside);
    await Promise.all(this.all().map((room) => this.#follow(room, connection)));
    for (const room of inside) void this.#enterAgain(connection, room);
  }

  /** The server says that this device was let into a room. Before `resume` it need not: that asks for all of them. */
  async entered(connection: Connection, room: RoomId, sequence: number): Promise<void> {
    if (this.#resumed !== connection) return;
    this.#comingIn.letIn(room);
    const { room: fresh, begun } = await this.#ensure(room, sequence);
    if (fresh && begun) await this.#follow(fresh, connection);
    else void this.#enterAgain(connection, room);
  }

  /** A device may read only after it was let in that it had been removed before. */
  async #enterAgain(connection: Connection, id: RoomId): Promise<void> {
    const known = this.#known.get(id);
    if (!known) return;
    const { replica, sender } = known;
    const { state, letInAt: entered } = replica;
    const isRead = () => state.phase === "left" || state.cursor >= entered;
    try {
      await replica.until(isRead, stepTimeoutMs);
      if (connection !== this.#resumed || connection.closed || state.phase !== "left") return;
      const { room, begun } = await this.#ensure(id, entered);
      if (room && begun) await this.#follow(room, connection);
    } catch {
      // The next login finds it.
      replica.letInAt = 0;
      sender.wake();
    }
  }

  take(connection: Connection, record: RecordMessage): void {
    this.#known.get(toHex(record.room) as RoomId)?.replica.take(connection, record);
  }

  interrupted(connection: Connection, room: RoomId): void {
    this.#known.get(room)?.replica.interrupted(connection);
  }

  /** New records in the directory, or new grants: rooms may owe somebody something. */
  wakeUpkeep(): void {
    for (const room of this.all()) room.upkeep.wake();
  }

  /** What was in the way of sending and committing is gone. */
  wakeAll(): void {
    for (const room of this.all()) {
      room.sender.wake();
      room.telling.wake();
    }
    this.wakeUpkeep();
  }

  /** Makes a room with this device alone in it, and its title. */
  async create(title: string, history: HistoryWord): Promise<Room> {
    const name = checkTitle(title);
    if (readsLikePerson(name))
      throw new SottoError(
        ErrorCode.NAME_INVALID,
        `a room's name does not begin with @: @name is a conversation with that person`,
      );
    const taken = this.all().find(
      (room) => room.replica.state.title === name && this.phaseOf(room) !== "left",
    );
    if (taken)
      throw new SottoClientError(
        "ROOM_EXISTS",
        `you are in a room called ${name} already (${taken.replica.room.slice(0, 8)}); choose another name`,
      );
    const room = await this.#begin(parseRoomId(randomBytes(16)), [], history);
    await room.say({ case: "title", value: { $typeName: "sotto.v1.RoomTitle", title: name } });
    // The answer may come before the record, which waits where a further device is just being let in.
    await room.replica.until(() => room.replica.state.title !== "", stepTimeoutMs);
    return room;
  }

  /** The direct conversation with `peer`, made where there is none yet. */
  async direct(peer: UserId): Promise<Room> {
    const own = this.#context.profile.user;
    const id = await directRoomId(own, peer);
    const known = this.#known.get(id);
    if (known && known.replica.state.phase !== "left") return await this.#withPeer(known, peer);
    try {
      return await this.#withPeer(await this.#begin(id, [own, peer].sort(), "since-join"), peer);
    } catch (error) {
      const code = serverError(error)?.code;
      if (code !== ErrorCode.ROOM_EXISTS && code !== ErrorCode.STALE) throw error;
      // The other side began it at the same time, and lets this device in.
      return await this.#until(() => this.#known.get(id));
    }
  }

  /** Nothing is said in a direct conversation before the other side can read it. */
  async #withPeer(room: Room, peer: UserId): Promise<Room> {
    const { directory } = this.#context;
    await room.replica.until(() => room.replica.state.phase === "active", stepTimeoutMs);
    const isIn = () => room.replica.group?.members().some(({ user }) => user === peer) === true;
    if (isIn()) return room;
    const connection = await this.#context.online(stepTimeoutMs);
    const wanted = standingDevices(directory.directory.user(peer)).map(({ id }) => ({
      user: peer,
      device: id,
    }));
    await room.committer.commit((group) => addDevices(room.replica, connection, group, wanted));
    if (isIn()) return room;
    throw new SottoClientError(
      "REFUSED",
      "they have published no keys yet; try again when they were online once",
    );
  }

  close(): void {
    this.#upkeepTimer.cancel();
    for (const room of this.all()) {
      room.replica.close();
      room.telling.close();
    }
  }

  async #begin(id: RoomId, direct: readonly UserId[], history: HistoryWord): Promise<Room> {
    const context = this.#context;
    const connection = await context.online(stepTimeoutMs);
    const admins = direct.length > 0 ? direct : [context.profile.user];
    const policy = encodePolicy({ admins, history });
    const group = await context.mls.createGroup({
      room: fromHex(id),
      identity: context.leaf,
      signatureKey: context.mlsKey,
      policy,
    });
    const state: RoomState = newRoomState(id, 1);
    const tree = await group.tree();
    const envelope = await writeEnvelope(context, state, {
      kind: EnvelopeKind.CREATE,
      added: [context.profile],
      commit: await context.parts.describe(undefined),
      welcome: await context.parts.describe(undefined),
      groupInfo: await context.parts.describe(await group.groupInfo()),
      tree: await context.parts.describe(tree),
      policy,
      direct,
    });
    const hash = toHex(await sha256(envelope));
    state.pending = { sha256: hash, staged: await group.serialise(), begins: true };
    const value = { room: fromHex(id), envelope };
    const { room, begun } = await this.#known.begin(id, async () =>
      this.#known.isIn(id) ? undefined : state,
    );
    if (!room) throw new SottoClientError("NOT_IN_ROOM", "the room could not be made");
    // The other side of a direct conversation has just let this device in.
    if (!begun) return room;
    try {
      await connection.request({ case: "commit", value }, "appended");
    } catch (error) {
      if (serverError(error)) await this.#known.forget(id);
      throw error;
    }
    await this.#follow(room, connection);
    await room.replica.until(() => room.replica.state.phase === "active", stepTimeoutMs);
    return room;
  }

  /** The room of which this device was let into at `entered`. */
  #ensure(id: RoomId, entered: number): ReturnType<KnownRooms["begin"]> {
    return this.#known.begin(id, async (known) => {
      const before = known?.replica.state;
      if (known) known.replica.letInAt = entered;
      if (before && (before.phase !== "left" || before.cursor >= entered)) return undefined;
      const title = before?.title || ((await this.#context.history.title(id)) ?? "");
      return { ...newRoomState(id, entered), title };
    });
  }

  /** Knows rooms again that this person left before this device was there: by name, and nothing more. */
  async recall(rooms: Iterable<RoomId>): Promise<void> {
    const { history, profile } = this.#context;
    for (const id of rooms) {
      await this.#known.begin(id, async (known) => {
        if (known || !(await history.isGone(id, profile.user))) return undefined;
        const title = (await history.title(id)) ?? "";
        return { ...newRoomState(id, 1), phase: "left", title };
      });
    }
  }

  async #load(state: RoomState): Promise<void> {
    const group = await restoreGroup(this.#context, state);
    await this.#known.load(state, group);
  }

  async #follow(room: Room, connection: Connection): Promise<void> {
    if (room.replica.state.phase === "left") return;
    try {
      await room.resume(connection);
    } catch (error) {
      const code = serverError(error)?.code;
      if (code === ErrorCode.NOT_A_MEMBER || code === ErrorCode.UNKNOWN_ROOM) {
        await this.#left(room);
        return;
      }
      if (connection.closed) return;
      room.replica.interrupted(connection);
    }
  }

  /** The server says that this device is not in the room: removed while it was away, or never in it. */
  async #left(room: Room): Promise<void> {
    const { state } = room.replica;
    if (state.pending?.begins || isHearsay(state)) return await this.#known.forget(state.room);
    room.replica.letInAt = 0;
    await room.replica.leave();
  }

  async #until(find: () => Room | undefined): Promise<Room> {
    const { clock, signal } = this.#context;
    for (let waitedMs = 0; waitedMs < stepTimeoutMs; waitedMs += 100) {
      const found = find();
      if (found) return found;
      await clock.sleep(100, signal);
    }
    throw new SottoClientError(
      "NOT_IN_ROOM",
      "the other side has begun this conversation but has not let this device in yet; it must come online once",
    );
  }
}
