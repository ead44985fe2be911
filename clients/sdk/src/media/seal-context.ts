import { fromHex, type ObjectId, type RoomId } from "@sotto/protocol";
import { utf8 } from "../bytes.ts";

/** What a sealed object belongs to: it opens in no other room and under no other id. */
export function sealContext(object: ObjectId, room: RoomId): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...utf8("sotto/media/v1"), ...fromHex(object), ...fromHex(room)]);
}
