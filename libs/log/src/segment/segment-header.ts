import { crc32 } from "node:zlib";
import { type Incarnation, LogError } from "../log.ts";

/**
 * The first bytes of a segment: "SOTTOLOG", u32 version, 16 bytes of incarnation, u32 CRC-32 of
 * what stands before it. A later version of the software must open every earlier format.
 */
export const segmentHeaderBytes = 32;
export const formatVersion = 1;

const magic = "SOTTOLOG";

export function encodeSegmentHeader(incarnation: Incarnation): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes);
  header.write(magic, 0, "latin1");
  header.writeUInt32LE(formatVersion, 8);
  header.write(incarnation, 12, "hex");
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28);
  return header;
}

/** Throws `LogError` where the segment is of a newer format, of another log, or no segment. */
export function checkSegmentHeader(segment: Buffer, name: string, incarnation: Incarnation): void {
  if (segment.length < segmentHeaderBytes || segment.toString("latin1", 0, 8) !== magic) {
    throw new LogError("CORRUPT", `${name} is not a log segment`);
  }
  const version = segment.readUInt32LE(8);
  if (version > formatVersion) {
    const message = `${name} has log format ${version}; this version of Sotto reads up to ${formatVersion}`;
    throw new LogError("CORRUPT", message);
  }
  if (segment.readUInt32LE(28) !== crc32(segment.subarray(0, 28))) {
    throw new LogError("CORRUPT", `${name} has a damaged header`);
  }
  if (segment.toString("hex", 12, 28) !== incarnation) {
    throw new LogError("CORRUPT", `${name} belongs to another log`);
  }
}
