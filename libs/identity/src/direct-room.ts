import { fromHex, parseRoomId, type RoomId, type UserId } from "@sotto/protocol";
import { sha256 } from "./digest.ts";

/** The id of the direct conversation of two users: SHA-256("sotto-dm-v1" || the sorted user ids). */
export async function directRoomId(one: UserId, other: UserId): Promise<RoomId> {
  const prefix = new TextEncoder().encode("sotto-dm-v1");
  const [first, second] = [one, other].sort() as [UserId, UserId];
  const input = new Uint8Array(prefix.length + 32);
  input.set(prefix);
  input.set(fromHex(first), prefix.length);
  input.set(fromHex(second), prefix.length + 16);
  return parseRoomId(await sha256(input));
}
