import { decodeEnvelope, rosterFromMessage } from "@sotto/identity";
import { fromHex, type RoomId, toHex, toSafeNumber } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError } from "../errors.ts";
import { type ExternalCommit, writeExternalCommit } from "./external-commit.ts";
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
 * is judged by the directory; the roster is the server's word until the room's own records go on from it.
 * Rejects with the server's refusal.
 */
export async function entranceInto(
  context: RoomContext,
  connection: Connection,
  room: RoomId,
): Promise<Entrance> {
  const id = fromHex(room);
  const last = await connection.request(
    { case: "getHandshake", value: { room: id } },
    "handshakeRecord",
  );
  const message = await connection.request({ case: "getRoster", value: { room: id } }, "roster");
  const roster = rosterFromMessage(message);
  const sequence = toSafeNumber(last.sequence);
  const envelope = decodeEnvelope(last.data);
  await context.directory.sync(connection, toSafeNumber(envelope.directorySize));
  if (roster.foldedTo !== sequence || roster.headHash !== toHex(await sha256(last.data))) {
    throw new SottoClientError("NOT_REACHABLE", "the room changed while this device came in");
  }
  const state: RoomState = { ...newRoomState(room, sequence + 1), roster };
  return { state, commit: await writeExternalCommit(context, state, connection, envelope) };
}
