import { Serial } from "@sotto/actor";
import { ErrorCode, fromHex, parseRoomId, type RoomId, toSafeNumber } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import { mayPass, serverError } from "../errors.ts";
import { entranceInto } from "./entrance.ts";
import type { KnownRooms } from "./known-rooms.ts";
import type { Room } from "./room.ts";
import type { RoomContext } from "./room-context.ts";

/** Members let a further device in within this time; then it comes in by itself. */
const comeInAfterMs = 3_000;
const comeInSpreadMs = 2_000;
const attemptsMax = 4;

/** What coming in asks of the rooms. */
export interface Doors {
  /** Another device has let this one in, at this record. */
  entered(connection: Connection, room: RoomId, sequence: number): Promise<void>;
  follow(room: Room, connection: Connection): Promise<void>;
}

/** Rooms of this device's user that the device is not in yet: it is let in soon, or comes in by itself. */
export class ComingIn {
  readonly #context: RoomContext;
  readonly #known: KnownRooms;
  readonly #doors: Doors;
  readonly #outside = new Set<RoomId>();
  /** One room after another: somebody may be in hundreds. */
  readonly #turns = new Serial();

  constructor(context: RoomContext, known: KnownRooms, doors: Doors) {
    this.#context = context;
    this.#known = known;
    this.#doors = doors;
  }

  has(room: RoomId): boolean {
    return this.#outside.has(room);
  }

  rooms(): readonly RoomId[] {
    return [...this.#outside];
  }

  /** Another device lets this one in. */
  letIn(room: RoomId): void {
    this.#outside.delete(room);
  }

  /** A new connection, on which the server names these rooms. */
  begin(connection: Connection, rooms: readonly RoomId[]): void {
    this.#outside.clear();
    for (const room of rooms) {
      this.#outside.add(room);
      void this.#comeIn(connection, room);
    }
  }

  async #comeIn(connection: Connection, id: RoomId): Promise<void> {
    const { clock, random, signal, notice } = this.#context;
    try {
      await clock.sleep(comeInAfterMs + random() * comeInSpreadMs, signal);
      for (let attempt = 1; this.#outside.has(id) && !connection.closed; attempt++) {
        const settled = await this.#turns.run(() => this.#tryToComeIn(connection, id));
        if (settled) this.#outside.delete(id);
        else if (attempt === attemptsMax) return;
        else await clock.sleep(comeInSpreadMs * random() * attempt, signal);
      }
    } catch (error) {
      if (signal.aborted || connection.closed) return;
      // Only devices that are out for good stand there for this person: a member has to let this one in.
      const code = serverError(error)?.code;
      if (code === ErrorCode.NOT_A_MEMBER || code === ErrorCode.FORBIDDEN)
        return void this.#outside.delete(id);
      notice(id, `this device could not come into a room of yours: ${String(error)}`);
    }
  }

  /** True where nothing is left to do. Rejects with what trying again does not change. */
  async #tryToComeIn(connection: Connection, id: RoomId): Promise<boolean> {
    if (!this.#outside.has(id) || connection.closed) return true;
    const listed = await connection.request({ case: "listRooms", value: {} }, "roomList");
    const entry = listed.rooms.find(({ room }) => parseRoomId(room) === id);
    if (!entry || this.#known.isIn(id)) return true;
    if (entry.entered > 0n) {
      await this.#doors.entered(connection, id, toSafeNumber(entry.entered));
      return true;
    }
    try {
      const { state, commit } = await entranceInto(this.#context, connection, id);
      const { room, begun } = await this.#known.begin(id, async (known) => {
        if (known && known.replica.state.phase !== "left") return undefined;
        const title = known?.replica.state.title || (await this.#context.history.title(id));
        return { ...state, title: title ?? "" };
      });
      if (!room || !begun) return true;
      const value = { room: fromHex(id), envelope: commit.envelope };
      await connection.request({ case: "commit", value }, "appended");
      await this.#context.parts.upload(connection, id, commit.treePart, commit.tree);
      await this.#doors.follow(room, connection);
      return true;
    } catch (error) {
      const refused = serverError(error);
      // Where the answer was lost the room stays: following it shows whether this device is in.
      if (refused && this.#known.get(id)?.replica.state.pending?.begins)
        await this.#known.forget(id);
      if (mayPass(error)) return false;
      throw error;
    }
  }
}
