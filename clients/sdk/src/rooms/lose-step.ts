import type { RoomState } from "./room-state.ts";

/** This device's group cannot go on: once the room is read to its head it comes back by itself, and says why. */
export function loseStep(state: RoomState, why: string): void {
  if (state.phase === "lost") return;
  state.phase = "lost";
  state.lostBecause = why;
}
