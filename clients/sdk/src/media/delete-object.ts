import { fromHex, type ObjectId } from "@sotto/protocol";
import type { Room } from "../rooms/room.ts";
import type { RoomContext } from "../rooms/room-context.ts";

/** Deletes an object's bytes at the server, then tells the room. */
export async function deleteObject(
  context: RoomContext,
  room: Room,
  object: ObjectId,
): Promise<void> {
  const connection = await context.online(30_000);
  const at = { room: fromHex(room.replica.room), object: fromHex(object) };
  await connection.request({ case: "deleteObject", value: at }, "done");
  await room.say({
    case: "mediaDeleted",
    value: { $typeName: "sotto.v1.MediaDeleted", object: at.object },
  });
}
