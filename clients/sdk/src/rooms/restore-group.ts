import type { Group } from "@sotto/mls";
import { loseStep } from "./lose-step.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

/** The group of a stored room. Where it is not there or cannot be used, the room is lost, and comes back. */
export async function restoreGroup(
  context: RoomContext,
  state: RoomState,
): Promise<Group | undefined> {
  const { store, mls } = context;
  if (state.phase === "left" || state.phase === "entering") return undefined;
  const bytes = await store.get("groups", state.room);
  const ratchets = await store.get("ratchets", state.room);
  try {
    const group = bytes && (await mls.restore(bytes, ratchets));
    if (!group) throw new Error("there is none");
    if (state.reserved?.epoch === group.epoch) {
      // What was reserved before the last stop may have been used: never seal under it again.
      await group.resumeAt(state.reserved.generation);
    }
    return group;
  } catch {
    loseStep(state, "what this device kept of the room cannot be used");
    return undefined;
  }
}
