import { fromHex, type RoomId } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";

/** Resolves when no record of the room comes any more, also where none would have come. */
export async function unsubscribe(connection: Connection, room: RoomId): Promise<void> {
  const value = { room: fromHex(room) };
  await connection.request({ case: "unsubscribe", value }, "done").catch(() => {});
}
