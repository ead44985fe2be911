import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type Invite,
  type InviteRoster,
  type Roster,
  rosterFromMessage,
  rosterToMessage,
} from "@sotto/identity";
import {
  fromHex,
  PartSchema,
  parseUserId,
  type RoomId,
  RosterSchema,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { sha256, textOf, utf8 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError } from "../errors.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import type { Room } from "./room.ts";
import type { RoomContext } from "./room-context.ts";

const knownTimeoutMs = 30_000;

/** What a newcomer knows of a room by the invite: whoever made the invite knows which room that is. */
export interface InvitedRoom {
  readonly inviter: UserId;
  /** Of the directory by which the invite was made. */
  readonly directorySize: number;
  readonly roster: InviteRoster;
}

/**
 * Puts the roster of a room where a newcomer finds it. `undefined` where this device has left the room. Rejects with
 * NOT_REACHABLE where it does not know who is there, or with the server's refusal.
 */
export async function publishRoster(
  { parts }: RoomContext,
  connection: Connection,
  { replica }: Room,
): Promise<InviteRoster | undefined> {
  const { state, room } = replica;
  const isKnown = () => state.phase === "active" && state.roster !== undefined;
  await replica.until(() => state.phase === "left" || isKnown(), knownTimeoutMs);
  if (state.phase === "left" || !state.roster) return undefined;
  const roster = toBinary(RosterSchema, rosterToMessage(state.roster));
  const part = { inline: new Uint8Array(), sha256: await sha256(roster), bytes: roster.length };
  await parts.upload(connection, room, part, roster);
  return { room, sha256: part.sha256, bytes: part.bytes };
}

/** The changes by which a newcomer's profile keeps what the invite says of rooms. */
export function invitedRoomChanges({ inviter, rosters = [] }: Invite): StoreChange[] {
  if (!inviter) return [];
  return rosters.map(({ room, sha256: hash, bytes }) => {
    const { user, head } = inviter;
    const json = { version: 1, inviter: user, size: head.size, sha256: toHex(hash), bytes };
    return { table: "meta", key: keyOf(room), value: utf8(JSON.stringify(json)) };
  });
}

/** What the invite of this profile said of a room. */
export async function invitedRoom(
  store: ProfileStore,
  room: RoomId,
): Promise<InvitedRoom | undefined> {
  const stored = await store.get("meta", keyOf(room));
  if (!stored) return undefined;
  const { inviter, size, sha256: hash, bytes } = JSON.parse(textOf(stored));
  return {
    inviter: parseUserId(String(inviter)),
    directorySize: size,
    roster: { room, sha256: fromHex(hash), bytes },
  };
}

/** The roster that the inviter had. Rejects as `Parts.fetch` does, and with ALTERED. */
export async function rosterOfInvite(
  { parts }: RoomContext,
  connection: Connection,
  { roster: { room, sha256: hash, bytes } }: InvitedRoom,
): Promise<Roster> {
  const part = create(PartSchema, { sha256: hash, bytes });
  const message = fromBinary(RosterSchema, await parts.fetch(connection, room, part));
  const roster = rosterFromMessage(message);
  if (roster.room === room) return roster;
  throw new SottoClientError("ALTERED", "the invite names the roster of another room");
}

function keyOf(room: RoomId): string {
  return `invited/${room}`;
}
