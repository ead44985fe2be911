import type { RoomId } from "@sotto/protocol";
import type { StoreChange } from "../ports/profile-store.ts";

/** Of several changes of one key in a batch only the last is written: a sender's chain changes with every message. */
export function lastOfEach(changes: readonly StoreChange[]): StoreChange[] {
  return [...new Map(changes.map((change) => [`${change.table}\0${change.key}`, change])).values()];
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
