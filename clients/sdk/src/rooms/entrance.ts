import type { RoomId } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import { type ExternalCommit, writeExternalCommit } from "./external-commit.ts";
import { lastHandshake } from "./last-handshake.ts";
import type { RoomContext } from "./room-context.ts";
import { newRoomState, type RoomState } from "./room-state.ts";

/** A room that this device is about to come into by itself. */
export interface Entrance {
  readonly state: RoomState;
  readonly commit: ExternalCommit;
}

/**
 * Makes the external commit with which this device enters a room of its user that nobody has let it into: it
 * follows the room's last handshake record, which the server hands to devices of members. Who is in the group
 * is judged by the directory, and by what another device of this user knows of the room (`rosterByOthers`).
 * Rejects with the server's refusal, or as `lastHandshake` does.
 */
export async function entranceInto(
  context: RoomContext,
  connection: Connection,
  room: RoomId,
): Promise<Entrance> {
  const state = newRoomState(room, 0);
  const last = await lastHandshake(context, state, connection);
  state.cursor = state.roster?.foldedTo ?? 0;
  return { state, commit: await writeExternalCommit(context, state, connection, last) };
}
