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
const recordsMax = 5000;

/** The room's handshake record at a sequence; without one, its last. Rejects with the server's refusal. */
export async function handshakeAt(
  context: RoomContext,
  connection: Connection,
  room: RoomId,
  sequence = 0,
): Promise<ChainRecord> {
  return await readRecord(context, connection, await recordAt(connection, room, sequence));
}

/** As `handshakeAt`, whatever the record holds. */
export async function recordAt(
  connection: Connection,
  room: RoomId,
  sequence = 0,
): Promise<Omit<ChainRecord, "envelope">> {
  const value = { room: fromHex(room), sequence: BigInt(sequence) };
  const record = await connection.request({ case: "getHandshake", value }, "handshakeRecord");
  const shown = toSafeNumber(record.sequence);
  if (sequence > 0 && shown !== sequence) throw anotherRoom();
  return { sequence: shown, data: record.data, sha256: toHex(await sha256(record.data)) };
}

/** Rejects with `SottoError` where it is no envelope that its committer has signed. */
export async function readRecord(
  context: RoomContext,
  connection: Connection,
  record: Omit<ChainRecord, "envelope">,
): Promise<ChainRecord> {
  return { ...record, envelope: await readEnvelope(context, connection, record.data) };
}

/**
 * The records behind `known` up to `newest`, the oldest first: each is the one that the next names as before it, by
 * its hash. Rejects with SERVER_MISBEHAVED where they do not lead there, with REFUSED where there are more than `max`.
 */
export async function chainBehind(
  context: RoomContext,
  connection: Connection,
  newest: ChainRecord,
  known: { readonly room: RoomId; readonly sequence: number },
  max = recordsMax,
): Promise<ChainRecord[]> {
  const records: ChainRecord[] = [];
  for (let record = newest; record.sequence > known.sequence; ) {
    records.unshift(record);
    const previous = Number(record.envelope.previousSequence);
    if (previous <= known.sequence) break;
    if (previous >= record.sequence) throw anotherRoom();
    if (records.length >= max)
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
    if (!follows(roster, envelope)) throw anotherRoom();
    const step = { context, connection, sequence, state: { ...state, roster } };
    const { breach } = await judgeRecord(step, data);
    if (breach) skipped.push(sequence);
    roster = breach
      ? passOver(roster, sequence, { sha256: hash, epoch: Number(envelope.epoch) })
      : foldRoster(roster, envelope, sequence, hash);
  }
  return { roster, skipped };
}

/** True where the record that a record names as before it is the one that a roster ends with. */
export function follows(
  { foldedTo, headHash }: Pick<Roster, "foldedTo" | "headHash">,
  { previousSequence, previousSha256 }: Envelope,
): boolean {
  return Number(previousSequence) === foldedTo && toHex(previousSha256) === headHash;
}

export function anotherRoom(): SottoClientError {
  return new SottoClientError(
    "SERVER_MISBEHAVED",
    "the server shows this room otherwise than your devices know it",
  );
}
