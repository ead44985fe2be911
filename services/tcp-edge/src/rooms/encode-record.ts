import type { LogRecord } from "@sotto/log";
import { encodeRecord, fromHex, RecordKind, type RoomId } from "@sotto/protocol";
import type { RoomRecord } from "./room-record.ts";

/** A record of the log as every recipient gets it. */
export function encodeRoomRecord(room: RoomId, record: LogRecord): RoomRecord {
  const { kind, sequence, handshake, data } = record;
  const frame = encodeRecord(0, {
    room: fromHex(room),
    sequence: BigInt(sequence),
    kind: kind === "h" ? RecordKind.HANDSHAKE : RecordKind.MESSAGE,
    handshake: kind === "h" ? 0n : BigInt(handshake),
    data,
  });
  return { sequence, frame };
}
