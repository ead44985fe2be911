import { Serial } from "@sotto/actor";
import type { Group } from "@sotto/mls";
import { limits, type RoomId } from "@sotto/protocol";
import { Room } from "./room.ts";
import type { RoomContext } from "./room-context.ts";
import { RoomReplica } from "./room-replica.ts";
import { isHearsay, parseRoomState, type RoomState } from "./room-state.ts";

/**
 * The rooms that this device knows, each once: two replicas of one room would take its records and its group
 * state apart. Whatever adds or drops one waits for its turn.
 */
export class KnownRooms {
  readonly #context: RoomContext;
  readonly #rooms = new Map<RoomId, Room>();
  readonly #serial = new Serial();
  /** Called whenever the set of rooms or one of them advanced. */
  onChanged: () => void = () => {};

  constructor(context: RoomContext) {
    this.#context = context;
  }

  all(): Room[] {
    return [...this.#rooms.values()];
  }

  get(id: RoomId): Room | undefined {
    return this.#rooms.get(id);
  }

  /** True where this device is in the room, or on its way in. */
  isIn(id: RoomId): boolean {
    const known = this.#rooms.get(id);
    return known !== undefined && known.replica.state.phase !== "left";
  }

  /** Takes in a room as it was stored. */
  async load(state: RoomState, group: Group | undefined): Promise<void> {
    this.#add(await RoomReplica.open(this.#context, state, group));
  }

  /**
   * Begins a room anew with the state that `make` answers in view of what is known then; `undefined` leaves it
   * as it is. Resolves with the room, and whether it is the new one.
   */
  async begin(
    id: RoomId,
    make: (known: Room | undefined) => Promise<RoomState | undefined>,
  ): Promise<{ readonly room: Room | undefined; readonly begun: boolean }> {
    return await this.#serial.run(async () => {
      const known = this.#rooms.get(id);
      const state = await make(known);
      if (!state || (isHearsay(state) && this.#hearsay() >= limits.subscriptionsMax))
        return { room: known, begun: false };
      if (known) state.reading = known.replica.state.reading + 1;
      known?.telling.close();
      await known?.replica.retire();
      const replica = await RoomReplica.open(this.#context, state);
      await replica.persist([], false);
      const room = this.#add(replica);
      if (known) room.sender.takeOver(known.sender);
      return { room, begun: true };
    });
  }

  /** Drops a room that never came to be. One that this device had left before is what it was. */
  async forget(id: RoomId): Promise<void> {
    await this.#serial.run(async () => {
      await this.#rooms.get(id)?.replica.retire();
      this.#rooms.delete(id);
      const { store } = this.#context;
      const stored = await store.get("rooms", id);
      const before = stored && parseRoomState(stored);
      if (before?.phase === "left") this.#add(await RoomReplica.open(this.#context, before));
      else if (stored) await store.commit([{ table: "rooms", key: id, value: undefined }]);
      this.onChanged();
    });
  }

  /** Rooms of which the server alone speaks: no connection carries more. */
  #hearsay(): number {
    return this.all().filter(({ replica }) => isHearsay(replica.state)).length;
  }

  #add(replica: RoomReplica): Room {
    const room = new Room(replica);
    const advanced = replica.onAdvanced;
    replica.onAdvanced = () => {
      advanced();
      this.onChanged();
    };
    this.#rooms.set(replica.room, room);
    this.onChanged();
    return room;
  }
}
