import type { RoomContext } from "../rooms/room-context.ts";
import type { Rooms } from "../rooms/rooms.ts";
import { KeyChanges } from "./key-changes.ts";

/** Has people told, and rooms act, when this device's copy of the directory grows, or the server is found out. */
export function watchDirectory(context: RoomContext, rooms: Rooms): void {
  const { directory, history } = context;
  const keyChanges = new KeyChanges(context, () => rooms.all().map(({ replica }) => replica.state));
  directory.tell = (changes) => keyChanges.tell(changes);
  directory.onGrown((told) => {
    history.announce(told);
    rooms.wakeUpkeep();
  });
  directory.trust.onNotice = (text) => context.notice("", text);
  directory.trust.onSettled = () => rooms.wakeAll();
}
