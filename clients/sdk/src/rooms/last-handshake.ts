import { rosterFromMessage } from "@sotto/identity";
import { type Envelope, fromHex, toHex, toSafeNumber } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError } from "../errors.ts";
import { readEnvelope } from "./judge-record.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

/**
 * The room's last handshake record, by which a device comes in: signed by its committer, and the one that the
 * roster ends with. Where this device has folded the roster itself, no older record and no other one passes.
 * Where it has none it takes the server's, until the room's own records go on from it. Rejects with
 * NOT_REACHABLE where the room has changed meanwhile, with SERVER_MISBEHAVED where the server shows an older one.
 */
export async function lastHandshake(
  context: RoomContext,
  state: RoomState,
  connection: Connection,
): Promise<Envelope> {
  const room = fromHex(state.room);
  const { data, sequence } = await connection.request(
    { case: "getHandshake", value: { room } },
    "handshakeRecord",
  );
  const envelope = await readEnvelope(context, connection, data);
  if (!state.roster) {
    const message = await connection.request({ case: "getRoster", value: { room } }, "roster");
    state.roster = rosterFromMessage(message);
  }
  const { foldedTo, headHash } = state.roster;
  if (!context.checks.groupInfo) return envelope;
  const shown = toSafeNumber(sequence);
  const isLast = foldedTo === shown && headHash === toHex(await sha256(data));
  if (!isLast && shown <= foldedTo)
    throw new SottoClientError(
      "SERVER_MISBEHAVED",
      "the server shows an older state of the room than this device has seen",
    );
  if (!isLast)
    throw new SottoClientError("NOT_REACHABLE", "the room changed while this device came in");
  return envelope;
}
