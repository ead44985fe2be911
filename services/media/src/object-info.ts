import type { MessageInitShape } from "@bufbuild/protobuf";
import { fromHex, type ObjectInfoSchema } from "@sotto/protocol";
import type { MediaLimits } from "./media-limits.ts";
import { kindOf, type ObjectRecord, pieceCountOf } from "./object-record.ts";

/** An object as the wire tells it. */
export function objectInfo(
  record: ObjectRecord,
  piecesDurable: number,
  limits: MediaLimits,
): MessageInitShape<typeof ObjectInfoSchema> {
  return {
    room: fromHex(record.room),
    object: fromHex(record.object),
    kind: kindOf(record),
    sealedBytes: BigInt(record.sealedBytes),
    piecesDurable,
    complete: piecesDurable === pieceCountOf(record, limits.pieceBytes),
    owner: fromHex(record.owner),
    createdAtMs: BigInt(record.createdAtMs),
  };
}
