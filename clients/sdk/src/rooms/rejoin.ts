import { rosterFromMessage } from "@sotto/identity";
import { fromHex } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import type { Committer } from "./committer.ts";
import { writeExternalCommit } from "./external-commit.ts";
import type { RoomReplica } from "./room-replica.ts";

const attemptsMax = 3;

/**
 * Brings a device whose group state is lost back into its room by an external commit. Called only after
 * replay has reached the head, so that it joins the newest epoch and not one that is being left.
 */
export async function rejoin(
  room: RoomReplica,
  committer: Committer,
  connection: Connection,
): Promise<boolean> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const written = await room.exclusive(() => write(room, connection));
    if (!written) return false;
    if (await committer.send(connection, written.envelope, written.sha256)) {
      await room.context.parts.upload(connection, room.room, written.treePart, written.tree);
      room.context.notice(
        room.room,
        "this device came back into the room; messages in between may be missing",
      );
      return true;
    }
  }
  return false;
}

async function write(room: RoomReplica, connection: Connection) {
  const { context, state } = room;
  const last = room.lastEnvelope;
  if (!last || state.phase !== "lost") return undefined;
  if (!state.roster) {
    const roster = await connection.request(
      { case: "getRoster", value: { room: fromHex(state.room) } },
      "roster",
    );
    state.roster = rosterFromMessage(roster);
  }
  const written = await writeExternalCommit(context, state, connection, last);
  await room.persist([], false);
  return written;
}
