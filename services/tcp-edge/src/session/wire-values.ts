import {
  type ObjectId,
  parseObjectId,
  parseRoomId,
  type RoomId,
  toHex,
  toSafeNumber,
} from "@sotto/protocol";

/** The room that raw bytes name; undefined where they name none. */
export function roomOf(bytes: Uint8Array): RoomId | undefined {
  return bytes.length === 16 || bytes.length === 32 ? parseRoomId(bytes) : undefined;
}

/** The media object that raw bytes name; undefined where they name none. */
export function objectOf(bytes: Uint8Array): ObjectId | undefined {
  return bytes.length === 16 || bytes.length === 32 ? parseObjectId(bytes) : undefined;
}

const incarnationBytesMax = 32;

/** A log's incarnation as hex, empty for none; undefined where it is none. */
export function incarnationOf(bytes: Uint8Array): string | undefined {
  return bytes.length <= incarnationBytesMax ? toHex(bytes) : undefined;
}

/** A uint64 as a number; undefined beyond 2^53 - 1. */
export function numberOf(value: bigint): number | undefined {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? toSafeNumber(value) : undefined;
}
