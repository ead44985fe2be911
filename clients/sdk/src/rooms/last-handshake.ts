import type { Envelope } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError } from "../errors.ts";
import { rosterByOthers } from "./known-by-others.ts";
import { handshakeAt } from "./room-chain.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

/**
 * The room's last handshake record, by which a device comes in: signed by its committer, and the one that the
 * roster ends with. Where this device has folded the roster itself, no older record and no other one passes.
 * Where it has none it goes by what another device of its user knows (`rosterByOthers`). Rejects with
 * NOT_REACHABLE where the room has changed meanwhile, or nobody knows it; with SERVER_MISBEHAVED where the server
 * shows an older one, or another room.
 */
export async function lastHandshake(
  context: RoomContext,
  state: RoomState,
  connection: Connection,
): Promise<Envelope> {
  const last = await handshakeAt(context, connection, state.room);
  state.roster ??= await rosterByOthers(context, connection, state, last);
  const { foldedTo, headHash } = state.roster;
  if (!context.checks.groupInfo) return last.envelope;
  const isLast = foldedTo === last.sequence && headHash === last.sha256;
  if (!isLast && last.sequence <= foldedTo)
    throw new SottoClientError(
      "SERVER_MISBEHAVED",
      "the server shows an older state of the room than this device has seen",
    );
  if (!isLast)
    throw new SottoClientError("NOT_REACHABLE", "the room changed while this device came in");
  return last.envelope;
}
