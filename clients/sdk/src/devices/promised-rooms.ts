import type { Directory } from "@sotto/identity";
import { parseRoomId, parseUserId, type RoomId, toHex, type UserId } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore } from "../ports/profile-store.ts";

const key = "promised-rooms";

interface Promised {
  readonly user: UserId;
  /** The key of the invite with which the user begins anew, hex. */
  readonly inviteKey: string;
  readonly rooms: readonly RoomId[];
}

/**
 * Rooms into which this device lets somebody again whose identity begins anew with an invite that it made: once
 * for each room. A grant would not do: it lets nobody in who was in the room before.
 */
export class PromisedRooms {
  readonly #store: ProfileStore;
  #promised: readonly Promised[];

  private constructor(store: ProfileStore, promised: readonly Promised[]) {
    this.#store = store;
    this.#promised = promised;
  }

  static async open(store: ProfileStore): Promise<PromisedRooms> {
    const stored = await store.get("meta", key);
    const list = stored ? (JSON.parse(textOf(stored)) as Promised[]) : [];
    return new PromisedRooms(
      store,
      list.map(({ user, inviteKey, rooms }) => ({
        user: parseUserId(user),
        inviteKey,
        rooms: rooms.map((room) => parseRoomId(room)),
      })),
    );
  }

  /** Promises these rooms, in place of what was promised to the user before. */
  async promise(user: UserId, inviteKey: Uint8Array, rooms: readonly RoomId[]): Promise<void> {
    const others = this.#promised.filter((one) => one.user !== user);
    await this.#keep([...others, { user, inviteKey: toHex(inviteKey), rooms }]);
  }

  /** Who is to be let into a room: their identity has begun anew with the very invite. */
  owedIn(room: RoomId, directory: Directory): UserId[] {
    return this.#promised
      .filter(({ rooms }) => rooms.includes(room))
      .filter(({ user, inviteKey }) => {
        const invite = directory.user(user)?.invite;
        return invite !== undefined && toHex(invite.key) === inviteKey;
      })
      .map(({ user }) => user);
  }

  /** They are in. */
  async kept(room: RoomId, users: readonly UserId[]): Promise<void> {
    if (!this.#promised.some((one) => users.includes(one.user) && one.rooms.includes(room))) return;
    await this.#keep(
      this.#promised.map((one) =>
        users.includes(one.user)
          ? { ...one, rooms: one.rooms.filter((other) => other !== room) }
          : one,
      ),
    );
  }

  async #keep(promised: readonly Promised[]): Promise<void> {
    this.#promised = promised.filter(({ rooms }) => rooms.length > 0);
    const value = utf8(JSON.stringify(this.#promised));
    await this.#store.commit([{ table: "meta", key, value }]);
  }
}
