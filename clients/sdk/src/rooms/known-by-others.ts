import { type Roster, rosterFromMessage, usersOf } from "@sotto/identity";
import { fromHex, toHex, toSafeNumber } from "@sotto/protocol";
import type { RoomAnchor } from "../archive/room-anchors.ts";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError } from "../errors.ts";
import { checkDirectPeople } from "./direct-people.ts";
import { invitedRoom, rosterOfInvite } from "./invited-room.ts";
import { newestAnchor } from "./own-anchor.ts";
import {
  anotherRoom,
  type ChainRecord,
  chainBehind,
  foldChain,
  handshakeAt,
} from "./room-chain.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

/**
 * The roster after a room's last handshake record, for a device that has not followed the room: that record must come
 * out of where this device, another one of this user or who invited them knew the room to be, record by record. The first
 * device of a user that was not invited into it has nobody to ask, and takes the server's word. Rejects with
 * SERVER_MISBEHAVED where the server shows another room, an older one, or others in a direct conversation than its two
 * people, with NOT_REACHABLE where no other device has said how it knows the room: a member has to let this one in.
 */
export async function rosterByOthers(
  context: RoomContext,
  connection: Connection,
  state: RoomState,
  newest: ChainRecord,
): Promise<Roster> {
  const anchor = await anchorFor(context, connection, state, newest);
  if (!anchor) {
    if (context.checks.roomAnchor && isFurtherDevice(context))
      throw new SottoClientError(
        "NOT_REACHABLE",
        "none of your other devices has said yet how it knows this room",
      );
    const value = { room: fromHex(state.room) };
    const roster = rosterFromMessage(
      await connection.request({ case: "getRoster", value }, "roster"),
    );
    await checkDirectPeople(context, state.room, [...usersOf(roster)]);
    return roster;
  }
  const { roster } = anchor;
  if (newest.sequence < roster.foldedTo) throw anotherRoom();
  if (newest.sequence === roster.foldedTo && newest.sha256 !== roster.headHash) throw anotherRoom();
  const records = await chainBehind(context, connection, newest, known(anchor));
  adopt(state, anchor);
  const folded = await foldChain(context, connection, state, roster, records);
  // Nobody is in the group that a skipped record began: the next commit of a member heals that.
  if (folded.skipped.includes(newest.sequence))
    throw new SottoClientError("NOT_REACHABLE", "nobody followed the room's last change");
  return folded.roster;
}

/**
 * What this device, another one of this user or who invited them knows of the room into which `entry` lets this one,
 * right before `entry`; `undefined` where none does, and where it is who invited them that lets them in. Rejects with SERVER_MISBEHAVED where `entry` is no record of that room.
 */
export async function rosterBeforeEntry(
  context: RoomContext,
  connection: Connection,
  state: RoomState,
  entry: ChainRecord,
): Promise<Roster | undefined> {
  const anchor = await anchorFor(context, connection, state, entry, { byInviter: true });
  if (!anchor) return undefined;
  const { roster } = anchor;
  adopt(state, anchor);
  if (entry.sequence > roster.foldedTo) {
    const records = await chainBehind(context, connection, entry, known(anchor));
    const fold = (from: Roster, part: readonly ChainRecord[]) =>
      foldChain(context, connection, state, from, part);
    const before = await fold(roster, records.slice(0, -1));
    // Who lets this device in must be a member by what is known.
    const { skipped } = await fold(before.roster, records.slice(-1));
    if (skipped.length > 0) throw anotherRoom();
    return before.roster;
  }
  // The other device was there, and has gone on since.
  const head =
    entry.sequence === roster.foldedTo
      ? entry
      : await handshakeAt(context, connection, state.room, roster.foldedTo);
  if (head.sha256 !== roster.headHash) throw anotherRoom();
  const to = { room: state.room, sequence: entry.sequence - 1 };
  const [first] = await chainBehind(context, connection, head, to);
  if (first?.sequence !== entry.sequence || first.sha256 !== entry.sha256) throw anotherRoom();
  return roster;
}

/**
 * The newest that is known of a room at its record `at`. `byInviter`: nobody else's word is needed where that record is
 * of who invited this user into the room.
 */
async function anchorFor(
  context: RoomContext,
  connection: Connection,
  state: RoomState,
  at: ChainRecord,
  { byInviter = false } = {},
): Promise<RoomAnchor | undefined> {
  if (!context.checks.roomAnchor) return undefined;
  const anchor = await newestAnchor(context, state);
  const invited = anchor ? undefined : await invitedRoom(context.store, state.room);
  if (!invited) return anchor;
  const { committer, directorySize } = at.envelope;
  const enteredAtSize = toSafeNumber(directorySize);
  const isInviter = toHex(committer?.user ?? new Uint8Array()) === invited.inviter;
  // A device that was revoked when the invite was made is none of theirs.
  if (byInviter && isInviter && enteredAtSize >= invited.directorySize) return undefined;
  const roster = await rosterOfInvite(context, connection, invited);
  return { roster, resets: 0, enteredAtSize };
}

function known({ roster }: RoomAnchor) {
  return { room: roster.room, sequence: roster.foldedTo };
}

function adopt(state: RoomState, { resets, enteredAtSize }: RoomAnchor): void {
  state.resets = resets;
  state.enteredAtSize = enteredAtSize;
}

/** True where this user had a device before this one that was not given up with an earlier identity. */
function isFurtherDevice({ directory, profile }: RoomContext): boolean {
  const devices = directory.directory.user(profile.user)?.devices ?? [];
  const own = devices.find(({ id }) => id === profile.device);
  return devices.some(
    ({ id, addedAt, revokedAt }) =>
      id !== profile.device &&
      addedAt < (own?.addedAt ?? 0) &&
      (revokedAt === undefined || revokedAt > (own?.addedAt ?? 0)),
  );
}
