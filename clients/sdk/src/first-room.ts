import { fromHex } from "@sotto/protocol";
import type { RoomDesk } from "./room-desk.ts";
import type { RoomContext } from "./rooms/room-context.ts";

const onlineTimeoutMs = 30_000;

/** The first login of the owner's first device, and of no later one, makes the room that invites grant by default. */
export async function makeFirstRoom(context: RoomContext, rooms: RoomDesk): Promise<void> {
  const { store, directory, profile } = context;
  try {
    const [first] = directory.directory.users();
    if (first?.devices[0]?.id !== profile.device || (await store.get("meta", "general"))) return;
    await context.online(onlineTimeoutMs);
    const room = rooms.named("general")[0] ?? (await rooms.create("general"));
    await store.commit([{ table: "meta", key: "general", value: fromHex(room.room) }]);
  } catch (error) {
    if (!context.signal.aborted) context.notice("", `general: ${String(error)}`);
  }
}
