import type { Archive } from "../archive/archive.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import type { Rooms } from "../rooms/rooms.ts";
import { KeyChanges } from "./key-changes.ts";

/** Has people told, and rooms and the archive act, when this device's copy of the directory grows, or the server is found out. */
export function watchDirectory(context: RoomContext, rooms: Rooms, archive: Archive): void {
  const { directory, history } = context;
  const keyChanges = new KeyChanges(context, () => rooms.all().map(({ replica }) => replica.state));
  directory.tell = (changes) => keyChanges.tell(changes);
  directory.onGrown((told) => {
    history.announce(told);
    rooms.wakeUpkeep();
    archive.wake();
  });
  directory.trust.onNotice = (text) => context.notice("", text);
  directory.trust.onSettled = () => {
    rooms.wakeAll();
    archive.wake();
  };
}
