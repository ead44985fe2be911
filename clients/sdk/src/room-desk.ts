import { standingDevices } from "@sotto/identity";
import { EnvelopeKind, type RoomId, readsLikePerson, type UserId } from "@sotto/protocol";
import { SottoClientError } from "./errors.ts";
import type { People } from "./people.ts";
import { findGeneral, findRoom, type Names } from "./room-lookup.ts";
import { addDevices, changeHistoryPolicy, removeDevices } from "./rooms/changes.ts";
import { isDirectRoom } from "./rooms/direct-people.ts";
import { type HistoryWord, parsePolicy } from "./rooms/policy.ts";
import type { Room } from "./rooms/room.ts";
import type { RoomContext } from "./rooms/room-context.ts";
import { type RoomPhase, wasTakenOut } from "./rooms/room-state.ts";
import type { Rooms } from "./rooms/rooms.ts";
import type { Sent } from "./rooms/sender.ts";

/** A room as a person sees it. */
export interface RoomView {
  readonly room: RoomId;
  /** Its title, or `@name` of the other one in a direct conversation. Not unique. */
  readonly name: string;
  /** A conversation of two people. */
  readonly direct: boolean;
  /** "active": this device is in it and can send. */
  readonly phase: RoomPhase;
  /** This device is out of it by the server's word alone: no member's record says that it was taken out. */
  readonly unknownToServer: boolean;
  /** People, not devices. */
  readonly members: number;
  /** What newcomers may have of what was said; `undefined` while this device is not in the room. */
  readonly history: HistoryWord | undefined;
}

/** Somebody in a room. */
export interface MemberView {
  readonly user: UserId;
  readonly name: string;
  /** May remove others and change the policy. */
  readonly admin: boolean;
  /** How many of their devices are in the room. */
  readonly devices: number;
}

const requestTimeoutMs = 30_000;

/** Rooms by name or id: finding, making, membership, sending. */
export class RoomDesk {
  readonly #context: RoomContext;
  readonly #rooms: Rooms;
  readonly #people: People;
  readonly #names: Names = {
    room: (room) => this.#view(room).name,
    person: (user) => this.#people.name(user),
  };

  constructor(context: RoomContext, rooms: Rooms, people: People) {
    this.#context = context;
    this.#rooms = rooms;
    this.#people = people;
  }

  /** All rooms that this device knows, those that it left too (`phase`). */
  list(): RoomView[] {
    return this.#rooms.all().map((room) => this.#view(room));
  }

  /** How many rooms this device is in, or should come into. */
  get expected(): number {
    return this.#rooms.expected;
  }

  /** Rooms of that title. */
  named(name: string): RoomView[] {
    return this.list().filter((room) => room.name === name);
  }

  /** The room that invites let into where none is named. Throws UNKNOWN_ROOM, AMBIGUOUS_ROOM. */
  general(): RoomView {
    const { owner } = this.#context.directory.directory;
    return this.#view(findGeneral(this.#rooms, owner, this.#names));
  }

  /** One room by name, id, or the beginning of its id. Throws UNKNOWN_ROOM, AMBIGUOUS_ROOM. */
  find(nameOrId: string): RoomView {
    return this.#view(this.#find(nameOrId));
  }

  /** Like `find`, but waits up to `timeoutMs` for a room that this device is just being let into. Rejects as `find` throws. */
  async waitFor(nameOrId: string, timeoutMs: number): Promise<RoomView> {
    const { clock, signal } = this.#context;
    for (let waited = 0; ; waited += 20) {
      try {
        const found = this.find(nameOrId);
        if (found.phase === "active" || found.phase === "left" || waited >= timeoutMs) return found;
      } catch (error) {
        const unknown = error instanceof SottoClientError && error.code === "UNKNOWN_ROOM";
        if (!unknown || waited >= timeoutMs) throw error;
      }
      await clock.sleep(20, signal);
    }
  }

  /** What a room is called; empty where its title is not known. */
  nameOf(room: RoomId): string {
    const known = this.#rooms.get(room);
    return known ? this.#view(known).name : "";
  }

  /** Who is in a room. Throws UNKNOWN_ROOM, AMBIGUOUS_ROOM. */
  members(nameOrId: string): MemberView[] {
    const room = this.#find(nameOrId);
    const { group, state } = room.replica;
    const devices = new Map<UserId, number>();
    for (const { user } of group?.members() ?? []) {
      devices.set(user as UserId, (devices.get(user as UserId) ?? 0) + 1);
    }
    return [...devices].map(([user, count]) => ({
      user,
      name: this.#people.name(user),
      admin: state.roster?.admins.includes(user) ?? false,
      devices: count,
    }));
  }

  /**
   * Makes a room with this person alone in it, as its admin. Rejects with ROOM_EXISTS where they are in one of that
   * name, NOT_REACHABLE, or for a title that is none.
   */
  async create(name: string, history: HistoryWord = "all"): Promise<RoomView> {
    return this.#view(await this.#rooms.create(name, history));
  }

  /**
   * Changes what newcomers may have of what is said from then on. Only an admin may, and not in a direct
   * conversation. Resolves with the room's last handshake sequence.
   */
  async setHistory(nameOrId: string, history: HistoryWord): Promise<number> {
    const room = this.#find(nameOrId);
    return await room.committer.commit(async (group) => changeHistoryPolicy(group, history));
  }

  /**
   * Adds a person, by name or id, with all devices. Resolves with the handshake record's sequence. Rejects with
   * UNKNOWN_ROOM, UNKNOWN_USER, REFUSED where they have published no keys yet, NOT_REACHABLE, or the server's refusal.
   */
  async add(nameOrId: string, person: string): Promise<number> {
    const room = this.#find(nameOrId);
    await this.#people.refresh();
    const user = this.#people.find(person);
    const wanted = standingDevices(this.#context.directory.directory.user(user)).map(({ id }) => ({
      user,
      device: id,
    }));
    const connection = await this.#context.online(requestTimeoutMs);
    const sequence = await room.committer.commit((group) =>
      addDevices(room.replica, connection, group, wanted),
    );
    if (!room.replica.group?.members().some((member) => member.user === user)) {
      throw new SottoClientError(
        "REFUSED",
        `${person} has published no keys to be added with yet; try again when they were online once`,
      );
    }
    room.telling.arrived();
    await room.tellTitle();
    return sequence;
  }

  /**
   * Removes a person with all devices; only an admin may. Resolves with the handshake record's sequence. Rejects with
   * OWN_REMOVAL (a member cannot commit that it is gone), UNKNOWN_ROOM, UNKNOWN_USER, NOT_REACHABLE, or the server's
   * refusal.
   */
  async remove(nameOrId: string, person: string): Promise<number> {
    const room = this.#find(nameOrId);
    const user = this.#people.find(person);
    if (user === this.#context.profile.user) throw this.#ownRemoval(room);
    // Asked of the group as it is when it can be changed: this device may be coming back into it just now.
    let present = false;
    const sequence = await room.committer.commit(async (group) => {
      present ||= group.members().some((member) => member.user === user);
      return removeDevices(group, (member) => member.user === user);
    });
    if (!present) throw new SottoClientError("UNKNOWN_USER", `${person} is not in that room`);
    return sequence;
  }

  /**
   * Gives this device new keys in a room: whoever once had its old ones reads no further. `inEpoch`: only while the
   * room is in that epoch. Resolves with the last handshake record's sequence.
   */
  async renew(nameOrId: string, inEpoch?: number): Promise<number> {
    const room = this.#find(nameOrId);
    return await room.committer.commit(async (group) =>
      inEpoch !== undefined && group.epoch !== inEpoch
        ? undefined
        : { kind: EnvelopeKind.UPDATE, stage: (current) => current.stageUpdate() },
    );
  }

  /** Sends a text to a room (id or name) or a person (`@name`), as `SottoClient.send` does. */
  async send(target: string, text: string, signal?: AbortSignal): Promise<Sent> {
    const room = await this.target(target);
    return await room.say({ case: "text", value: { $typeName: "sotto.v1.Text", text } }, signal);
  }

  /** The room that a target (id, name or `@name`) names; a direct conversation is begun where there is none. */
  async target(target: string): Promise<Room> {
    if (!target.startsWith("@")) return this.#find(target);
    let user: UserId;
    try {
      user = this.#people.find(target);
    } catch {
      await this.#people.refresh();
      user = this.#people.find(target);
    }
    if (user === this.#context.profile.user) {
      throw new SottoClientError("UNKNOWN_USER", "a conversation needs somebody else");
    }
    return await this.#rooms.direct(user);
  }

  #ownRemoval({ replica }: Room): SottoClientError {
    const { name, user } = this.#context.profile;
    const others = (replica.state.roster?.admins ?? [])
      .filter((admin) => admin !== user)
      .map((admin) => this.#people.name(admin));
    const whom = others.length > 0 ? others.join(" or ") : "one, but this room has no other admin";
    return new SottoClientError(
      "OWN_REMOVAL",
      `nobody takes themselves out of a room; an admin of it can, so ask ${whom}: sotto room remove ${replica.room.slice(0, 8)} ${name}`,
    );
  }

  #find(nameOrId: string): Room {
    return findRoom(this.#rooms, nameOrId, this.#names);
  }

  #view(room: Room): RoomView {
    const { state, group } = room.replica;
    const { profile } = this.#context;
    const phase = this.#rooms.phaseOf(room);
    const direct = isDirectRoom(state.room);
    const peer = state.roster?.direct.find((user) => user !== profile.user);
    return {
      room: state.room,
      name: direct && peer ? `@${this.#people.name(peer)}` : shownTitle(state.title),
      direct,
      phase,
      unknownToServer: phase === "left" && !wasTakenOut(state, profile.device),
      members: new Set(group?.members().map((member) => member.user)).size,
      history: group && parsePolicy(group.policy).history,
    };
  }
}

/** A room that came with a person's name for a title is none that one has with that person. */
function shownTitle(title: string): string {
  return readsLikePerson(title) ? `(room) ${title}` : title;
}
