import type { GroupToStore } from "@sotto/mls";
import type { RoomId } from "@sotto/protocol";
import type { StoreChange } from "../ports/profile-store.ts";
import { ownAnchorChanges } from "./own-anchor.ts";
import { isHearsay, type RoomState, roomChange } from "./room-state.ts";

/** Of several changes of one key in a batch only the last is written: a sender's chain changes with every message. */
export function lastOfEach(changes: readonly StoreChange[]): StoreChange[] {
  return [...new Map(changes.map((change) => [`${change.table}\0${change.key}`, change])).values()];
}

/**
 * The changes that store a room's state; of one that was left, how it was known, and no group any more. What the server
 * alone speaks of takes no place in the store.
 */
export function stateChanges(state: RoomState): StoreChange[] {
  if (isHearsay(state)) return [];
  if (state.phase !== "left") return [roomChange(state)];
  const noGroup = groupChanges(state.room, undefined, undefined);
  return [roomChange(state), ...noGroup, ...ownAnchorChanges(state)];
}

/** The changes that store a group, or delete it. */
export function groupChanges(
  room: RoomId,
  epochState: Uint8Array | undefined,
  ratchets: Uint8Array | undefined,
): StoreChange[] {
  return [
    { table: "groups", key: room, value: epochState },
    { table: "ratchets", key: room, value: ratchets },
  ];
}

/** The changes that store what of a group has changed; none without one. */
export function groupUpdate(room: RoomId, group: GroupToStore | undefined): StoreChange[] {
  if (!group) return [];
  const { epochState, ratchets } = group;
  if (epochState) return groupChanges(room, epochState, ratchets);
  return [{ table: "ratchets", key: room, value: ratchets }];
}
