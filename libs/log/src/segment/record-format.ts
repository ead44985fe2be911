import { crc32 } from "node:zlib";
import type { SubjectKind } from "../log.ts";

/**
 * One record in a segment, all numbers little-endian:
 *
 *     0  u32  length of what follows the checksum
 *     4  u32  CRC-32 of what follows it
 *     8  u8   type: 1 append, 2 removal of the topic
 *     9  u8   kind: 0 handshake, 1 message
 *    10  u8   length of the topic, 11 u8 length of the key
 *    12  u32  bytes of this segment that were synced when the record was written
 *    16  f64  sequence          24  f64  time, ms since the epoch
 *    32  f64  previous sequence on the subject       40  f64  handshake condition
 *    48  topic, key (ASCII), data
 */
export interface StoredRecord {
  readonly type: RecordType;
  readonly kind: SubjectKind;
  readonly syncedBytes: number;
  readonly sequence: number;
  readonly atMs: number;
  readonly previous: number;
  readonly handshake: number;
  readonly topic: string;
  readonly key: string;
  /** A view of the buffer that was decoded. */
  readonly data: Uint8Array;
}

export type RecordType = "append" | "remove";

const prefixBytes = 8;
const headerBytes = 48;

/** Bytes that a record takes in a segment. */
export function recordBytes(record: Pick<StoredRecord, "topic" | "key" | "data">): number {
  return headerBytes + record.topic.length + record.key.length + record.data.length;
}

/** Writes a record at `offset` and answers the offset after it. */
export function encodeRecord(record: StoredRecord, into: Buffer, offset: number): number {
  const topicAt = offset + headerBytes;
  const keyAt = topicAt + record.topic.length;
  const dataAt = keyAt + record.key.length;
  const end = dataAt + record.data.length;
  into.writeUInt32LE(end - offset - prefixBytes, offset);
  into[offset + 8] = record.type === "append" ? 1 : 2;
  into[offset + 9] = record.kind === "h" ? 0 : 1;
  into[offset + 10] = record.topic.length;
  into[offset + 11] = record.key.length;
  into.writeUInt32LE(record.syncedBytes, offset + 12);
  into.writeDoubleLE(record.sequence, offset + 16);
  into.writeDoubleLE(record.atMs, offset + 24);
  into.writeDoubleLE(record.previous, offset + 32);
  into.writeDoubleLE(record.handshake, offset + 40);
  into.write(record.topic, topicAt, "latin1");
  into.write(record.key, keyAt, "latin1");
  into.set(record.data, dataAt);
  into.writeUInt32LE(crc32(into.subarray(offset + prefixBytes, end)), offset + 4);
  return end;
}

/** The end of the record at `offset`, or undefined where no whole, unharmed record begins. */
export function recordEnd(from: Buffer, offset: number): number | undefined {
  if (offset + headerBytes > from.length) return undefined;
  const end = offset + prefixBytes + from.readUInt32LE(offset);
  const namesBytes = (from[offset + 10] ?? 0) + (from[offset + 11] ?? 0);
  if (end > from.length || end < offset + headerBytes + namesBytes) return undefined;
  const isWhole = crc32(from.subarray(offset + prefixBytes, end)) === from.readUInt32LE(offset + 4);
  return isWhole ? end : undefined;
}

/** Decodes the record between `offset` and `end`, which `recordEnd` answered. */
export function decodeRecord(from: Buffer, offset: number, end: number): StoredRecord {
  const topicAt = offset + headerBytes;
  const keyAt = topicAt + (from[offset + 10] ?? 0);
  const dataAt = keyAt + (from[offset + 11] ?? 0);
  return {
    type: from[offset + 8] === 1 ? "append" : "remove",
    kind: from[offset + 9] === 0 ? "h" : "m",
    syncedBytes: from.readUInt32LE(offset + 12),
    sequence: from.readDoubleLE(offset + 16),
    atMs: from.readDoubleLE(offset + 24),
    previous: from.readDoubleLE(offset + 32),
    handshake: from.readDoubleLE(offset + 40),
    topic: from.toString("latin1", topicAt, keyAt),
    key: from.toString("latin1", keyAt, dataAt),
    data: from.subarray(dataAt, end),
  };
}
