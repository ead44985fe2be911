import { foldRoster, passOver, type Roster } from "@sotto/identity";
import { type Envelope, fromHex, type RoomId, toHex, toSafeNumber } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import type { Connection } from "../connection/connection.ts";
import { SottoClientError } from "../errors.ts";
import { judgeRecord, readEnvelope } from "./judge-record.ts";
import type { RoomContext } from "./room-context.ts";
import type { RoomState } from "./room-state.ts";

/** A handshake record, read. */
export interface ChainRecord {
  readonly sequence: number;
  readonly data: Uint8Array;
  /** Of `data`, hex. */
  readonly sha256: string;
  readonly envelope: Envelope;
}

/** Records between what is known of a room and its last one; who was away for longer is let in by a member. */
const chainRecordsMax = 5000;

/** The room's handshake record at a sequence; without one, its last. Rejects with the server's refusal. */
export async function handshakeAt(
  context: RoomContext,
  connection: Connection,
  room: RoomId,
  sequence = 0,
): Promise<ChainRecord> {
  const value = { room: fromHex(room), sequence: BigInt(sequence) };
  const record = await connection.request({ case: "getHandshake", value }, "handshakeRecord");
  const shown = toSafeNumber(record.sequence);
  if (sequence > 0 && shown !== sequence) throw anotherRoom();
  const hash = toHex(await sha256(record.data));
  const envelope = await readEnvelope(context, connection, record.data);
  return { sequence: shown, data: record.data, sha256: hash, envelope };
}

/**
 * The records behind `known` up to `newest`, the oldest first: each is the one that the next names as before it, by
 * its hash. Rejects with SERVER_MISBEHAVED where they do not lead there.
 */
export async function chainBehind(
  context: RoomContext,
  connection: Connection,
  newest: ChainRecord,
  known: { readonly room: RoomId; readonly sequence: number },
): Promise<ChainRecord[]> {
  const records: ChainRecord[] = [];
  for (let record = newest; record.sequence > known.sequence; ) {
    records.unshift(record);
    const previous = toSafeNumber(record.envelope.previousSequence);
    if (previous <= known.sequence) break;
    if (previous >= record.sequence) throw anotherRoom();
    if (records.length >= chainRecordsMax)
      throw new SottoClientError("REFUSED", "too much has changed in the room meanwhile");
    const before = await handshakeAt(context, connection, known.room, previous);
    if (before.sha256 !== toHex(record.envelope.previousSha256)) throw anotherRoom();
    record = before;
  }
  return records;
}

/** Where records lead, as everybody in the room folds them. */
export interface FoldedChain {
  readonly roster: Roster;
  /** Records that everybody passes over. */
  readonly skipped: readonly number[];
}

/**
 * The roster after records that follow one another from where `known` stands. Rejects with SERVER_MISBEHAVED where the
 * first of them follows another record.
 */
export async function foldChain(
  context: RoomContext,
  connection: Connection,
  state: RoomState,
  known: Roster,
  records: readonly ChainRecord[],
): Promise<FoldedChain> {
  const skipped: number[] = [];
  let roster = known;
  for (const { sequence, data, sha256: hash, envelope } of records) {
    const follows =
      toSafeNumber(envelope.previousSequence) === roster.foldedTo &&
      toHex(envelope.previousSha256) === roster.headHash;
    if (!follows) throw anotherRoom();
    const step = { context, connection, sequence, state: { ...state, roster } };
    const { breach } = await judgeRecord(step, data);
    if (breach) skipped.push(sequence);
    roster = breach
      ? passOver(roster, sequence, { sha256: hash, epoch: toSafeNumber(envelope.epoch) })
      : foldRoster(roster, envelope, sequence, hash);
  }
  return { roster, skipped };
}

export function anotherRoom(): SottoClientError {
  return new SottoClientError(
    "SERVER_MISBEHAVED",
    "the server shows this room otherwise than your devices know it",
  );
}
