import type { RoomId } from "@sotto/protocol";
import { type Anchored, anchorOf, type RoomAnchor } from "../archive/room-anchors.ts";
import { textOf, utf8 } from "../bytes.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import { parseRoster, type RoomState, rosterHex } from "./room-state.ts";

/**
 * How this device itself knew a room: by that it is let in again, also where the server says that it was out, and
 * whatever the archive holds. None where it does not know the room wholly; what it knew before stays.
 */
export function ownAnchorChanges({
  room,
  roster,
  resets,
  enteredAtSize,
}: RoomState): StoreChange[] {
  if (!roster) return [];
  const json = { version: 1, roster: rosterHex(roster), resets, enteredAtSize };
  return [{ table: "meta", key: keyOf(room), value: utf8(JSON.stringify(json)) }];
}

/** The newest that this device knows of a room, by itself or by the other devices of its user. */
export async function newestAnchor(
  of: Anchored,
  state: RoomState,
): Promise<RoomAnchor | undefined> {
  const { room, roster, resets, enteredAtSize } = state;
  const candidates = [
    roster ? { roster, resets, enteredAtSize } : undefined,
    await ownAnchor(of.store, room),
    await anchorOf(of, room),
  ].filter((anchor) => anchor !== undefined);
  const isNewer = (one: RoomAnchor, other: RoomAnchor) =>
    one.resets === other.resets
      ? one.roster.foldedTo > other.roster.foldedTo
      : one.resets > other.resets;
  return candidates.reduce<RoomAnchor | undefined>(
    (newest, one) => (newest && !isNewer(one, newest) ? newest : one),
    undefined,
  );
}

async function ownAnchor(store: ProfileStore, room: RoomId): Promise<RoomAnchor | undefined> {
  const stored = await store.get("meta", keyOf(room));
  if (!stored) return undefined;
  const { roster: hex, resets, enteredAtSize } = JSON.parse(textOf(stored));
  const roster = parseRoster(hex);
  return roster && { roster, resets, enteredAtSize };
}

function keyOf(room: RoomId): string {
  return `own-anchor/${room}`;
}
