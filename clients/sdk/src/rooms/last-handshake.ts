import type { Envelope } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError } from "../errors.ts";
import { rosterByOthers } from "./known-by-others.ts";
import { anotherRoom, handshakeAt, readRecord, recordAt } from "./room-chain.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

/**
 * The room's last handshake record, by which a device comes in: signed by its committer, and the one that the
 * roster ends with. Where this device has folded the roster itself, no older record and no other one passes. Of
 * records that it passed over none counts: then it is the last one before them, in whose group the members are.
 * Where it has none it goes by what another device of its user knows (`rosterByOthers`). Rejects with
 * NOT_REACHABLE where the room has changed meanwhile, or nobody knows it; with SERVER_MISBEHAVED where the server
 * shows an older one, or another room.
 */
export async function lastHandshake(
  context: RoomContext,
  state: RoomState,
  connection: Connection,
): Promise<Envelope> {
  const last = await recordAt(connection, state.room);
  const read = () => readRecord(context, connection, last);
  state.roster ??= await rosterByOthers(context, connection, state, await read());
  const { foldedTo, headHash } = state.roster;
  if (!context.checks.groupInfo) return (await read()).envelope;
  const { followed } = state;
  const isLast = foldedTo === last.sequence && (followed || headHash === last.sha256);
  if (!isLast && last.sequence <= foldedTo)
    throw new SottoClientError(
      "SERVER_MISBEHAVED",
      "the server shows an older state of the room than this device has seen",
    );
  if (!isLast)
    throw new SottoClientError("NOT_REACHABLE", "the room changed while this device came in");
  if (!followed) return (await read()).envelope;
  const good = await handshakeAt(context, connection, state.room, followed.foldedTo);
  if (good.sha256 !== followed.headHash) throw anotherRoom();
  return good.envelope;
}
