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
  toHex,
  toSafeNumber,
  type UserId,
} from "@sotto/protocol";
import { randomBytes, sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { mayPass, SottoClientError, serverError } from "../errors.ts";
import { addDevices } from "./changes.ts";
import { entranceInto } from "./entrance.ts";
import { writeEnvelope } from "./envelopes.ts";
import { encodePolicy, type HistoryWord } from "./policy.ts";
import { restoreGroup } from "./restore-group.ts";
import { Room } from "./room.ts";
import type { RoomContext } from "./room-context.ts";
import { RoomReplica } from "./room-replica.ts";
import { newRoomState, parseRoomState, type RoomState } from "./room-state.ts";

const stepTimeoutMs = 30_000;
/** What no event calls for is looked at this often. */
const upkeepEveryMs = 3_600_000;
/** Members let a further device in within this time; then it comes in by itself. */
const comeInAfterMs = 3_000;
const comeInSpreadMs = 2_000;
const comeInAttemptsMax = 4;

/** All rooms of this device: loads them, follows them, makes new ones. */
export class Rooms {
  readonly #context: RoomContext;
  readonly #rooms = new Map<RoomId, Room>();
  /** Rooms of this person that this device is not in yet. */
  readonly #outside = new Set<RoomId>();
  readonly #upkeepTimer: Timer;
  #listening: (() => void) | undefined;

  private constructor(context: RoomContext) {
    this.#context = context;
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
    this.#listening = listener;
  }

  all(): Room[] {
    return [...this.#rooms.values()];
  }

  get(room: RoomId): Room | undefined {
    return this.#rooms.get(room);
  }

  /** Rooms that this device is in or should come into. */
  get expected(): number {
    const inside = this.all().filter(({ replica }) => replica.state.phase !== "left");
    return new Set([...inside.map(({ replica }) => replica.room), ...this.#outside]).size;
  }

  /** Follows every room on a new connection, the ones that this device was let into meanwhile included. */
  async resume(connection: Connection): Promise<void> {
    const listed = await connection.request({ case: "listRooms", value: {} }, "roomList");
    this.#outside.clear();
    for (const entry of listed.rooms) {
      const entered = toSafeNumber(entry.entered);
      const room = parseRoomId(entry.room);
      if (entered > 0) await this.#ensure(room, entered);
      else if (!this.#isIn(room)) this.#outside.add(room);
    }
    await Promise.all(this.all().map((room) => this.#follow(room, connection)));
    for (const room of this.#outside) void this.#comeIn(connection, room);
  }

  /** The server says that this device was let into a room. */
  async entered(connection: Connection, room: RoomId, sequence: number): Promise<void> {
    const known = this.#rooms.get(room);
    if (known && known.replica.state.phase !== "left") return;
    this.#outside.delete(room);
    const fresh = await this.#ensure(room, sequence);
    await this.#follow(fresh, connection);
  }

  #isIn(room: RoomId): boolean {
    const known = this.#rooms.get(room);
    return known !== undefined && known.replica.state.phase !== "left";
  }

  /** A further device that no member lets in comes in by an external commit. */
  async #comeIn(connection: Connection, id: RoomId): Promise<void> {
    const { clock, random, signal, notice } = this.#context;
    try {
      await clock.sleep(comeInAfterMs + random() * comeInSpreadMs, signal);
      for (let attempt = 1; this.#outside.has(id) && !connection.closed; attempt++) {
        if (await this.#tryToComeIn(connection, id)) this.#outside.delete(id);
        else if (attempt === comeInAttemptsMax) return;
        else await clock.sleep(comeInSpreadMs * random() * attempt, signal);
      }
    } catch (error) {
      if (signal.aborted || connection.closed) return;
      notice(id, `this device could not come into a room of yours: ${String(error)}`);
    }
  }

  /** True where nothing is left to do. Rejects with what trying again does not change. */
  async #tryToComeIn(connection: Connection, id: RoomId): Promise<boolean> {
    const listed = await connection.request({ case: "listRooms", value: {} }, "roomList");
    const entry = listed.rooms.find(({ room }) => parseRoomId(room) === id);
    if (!entry || this.#isIn(id)) return true;
    if (entry.entered > 0n) {
      await this.entered(connection, id, toSafeNumber(entry.entered));
      return true;
    }
    try {
      const { state, commit } = await entranceInto(this.#context, connection, id);
      state.title = this.#rooms.get(id)?.replica.state.title ?? "";
      const room = this.#add(await RoomReplica.open(this.#context, state));
      await room.replica.persist([], false);
      const value = { room: fromHex(id), envelope: commit.envelope };
      await connection.request({ case: "commit", value }, "appended");
      await this.#context.parts.upload(connection, id, commit.treePart, commit.tree);
      await this.#follow(room, connection);
      return true;
    } catch (error) {
      const refused = serverError(error);
      // Where the answer was lost the room stays: following it shows whether this device is in.
      if (refused && this.#rooms.get(id)?.replica.state.pending?.begins) await this.#forget(id);
      if (mayPass(error)) return false;
      throw error;
    }
  }

  take(connection: Connection, record: RecordMessage): void {
    this.#rooms.get(toHex(record.room) as RoomId)?.replica.take(connection, record);
  }

  interrupted(connection: Connection, room: RoomId): void {
    this.#rooms.get(room)?.replica.interrupted(connection);
  }

  /** New records in the directory, or new grants: rooms may owe somebody something. */
  wakeUpkeep(): void {
    for (const room of this.#rooms.values()) room.upkeep.wake();
  }

  /** What was in the way of sending and committing is gone. */
  wakeAll(): void {
    for (const room of this.#rooms.values()) room.sender.wake();
    this.wakeUpkeep();
  }

  /** Makes a room with this device alone in it, and its title. */
  async create(title: string, history: HistoryWord): Promise<Room> {
    const name = checkTitle(title);
    const room = await this.#begin(parseRoomId(randomBytes(16)), [], history);
    await room.say({ case: "title", value: { $typeName: "sotto.v1.RoomTitle", title: name } });
    return room;
  }

  /** The direct conversation with `peer`, made where there is none yet. */
  async direct(peer: UserId): Promise<Room> {
    const own = this.#context.profile.user;
    const id = await directRoomId(own, peer);
    const known = this.#rooms.get(id);
    if (known && known.replica.state.phase !== "left") return await this.#withPeer(known, peer);
    try {
      return await this.#withPeer(await this.#begin(id, [own, peer].sort(), "since-join"), peer);
    } catch (error) {
      const code = serverError(error)?.code;
      if (code !== ErrorCode.ROOM_EXISTS && code !== ErrorCode.STALE) throw error;
      // The other side began it at the same time, and lets this device in.
      return await this.#until(() => this.#rooms.get(id));
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
    for (const room of this.#rooms.values()) {
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
    const room = this.#add(await RoomReplica.open(context, state));
    await room.replica.persist([], false);
    try {
      await connection.request({ case: "commit", value }, "appended");
    } catch (error) {
      if (serverError(error)) await this.#forget(id);
      throw error;
    }
    await this.#follow(room, connection);
    await room.replica.until(() => room.replica.state.phase === "active", stepTimeoutMs);
    return room;
  }

  async #forget(id: RoomId): Promise<void> {
    this.#rooms.get(id)?.replica.close();
    this.#rooms.delete(id);
    await this.#context.store.commit([{ table: "rooms", key: id, value: undefined }]);
  }

  async #ensure(id: RoomId, entered: number): Promise<Room> {
    const known = this.#rooms.get(id);
    if (known && (known.replica.state.phase !== "left" || known.replica.state.cursor >= entered))
      return known;
    known?.replica.close();
    const state = newRoomState(id, entered);
    state.title = known?.replica.state.title || ((await this.#context.history.title(id)) ?? "");
    const replica = await RoomReplica.open(this.#context, state);
    await replica.persist([], false);
    return this.#add(replica);
  }

  /** Knows rooms again that this person left before this device was there: by name, and nothing more. */
  async recall(rooms: Iterable<RoomId>): Promise<void> {
    for (const id of rooms) {
      if (this.#rooms.has(id)) continue;
      const state = newRoomState(id, 1);
      state.phase = "left";
      state.title = (await this.#context.history.title(id)) ?? "";
      const replica = await RoomReplica.open(this.#context, state);
      await replica.persist([], false);
      this.#add(replica);
    }
  }

  async #load(state: RoomState): Promise<void> {
    const group = await restoreGroup(this.#context, state);
    this.#add(await RoomReplica.open(this.#context, state, group));
  }

  #add(replica: RoomReplica): Room {
    const room = new Room(replica);
    const advanced = replica.onAdvanced;
    replica.onAdvanced = () => {
      advanced();
      this.#listening?.();
    };
    this.#rooms.set(replica.room, room);
    this.#listening?.();
    return room;
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
    if (room.replica.state.pending?.begins) return await this.#forget(room.replica.room);
    room.replica.state.phase = "left";
    await room.replica.persist([], false);
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
