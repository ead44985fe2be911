import type { Connection } from "../connection/connection.ts";
import type { Committer } from "./committer.ts";
import { writeExternalCommit } from "./external-commit.ts";
import { lastHandshake } from "./last-handshake.ts";
import type { RoomReplica } from "./room-replica.ts";
import { giveUp } from "./room-state.ts";

const attemptsMax = 3;
const jitterMs = 500;

/**
 * Brings a device whose group state is lost back into its room by an external commit. Called only after
 * replay has reached the head, so that it joins the newest epoch and not one that is being left. Answers
 * false where that has to wait for the room's next handshake record.
 */
export async function rejoin(
  room: RoomReplica,
  committer: Committer,
  connection: Connection,
): Promise<boolean> {
  const { context, state } = room;
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const written = await room.exclusive(() => write(room, connection));
    if (!written) return false;
    if (await committer.send(connection, written.envelope, written.sha256)) {
      await committer.uploadOwed(connection);
      context.notices.keep(
        room.room,
        `${state.lostBecause || "this device lost step with the room"}; it came back by itself, and asks for messages that it could not open`,
      );
      await room.exclusive(() => room.persist([], false));
      return true;
    }
    await context.clock.sleep(context.random() * jitterMs * attempt, context.signal);
  }
  return false;
}

async function write(room: RoomReplica, connection: Connection) {
  const { context, state } = room;
  if (state.phase !== "lost") return undefined;
  const last = await lastHandshake(context, state, connection);
  // Nobody is in the group that a skipped record began: the next commit of a member heals that.
  if (state.skipped.includes((state.followed ?? state.roster)?.foldedTo ?? 0)) return undefined;
  giveUp(state);
  const written = await writeExternalCommit(context, state, connection, last);
  await room.persist([], false);
  return written;
}
