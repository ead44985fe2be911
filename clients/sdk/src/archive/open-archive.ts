import { sealingKeyOf } from "@sotto/mls";
import type { Connection } from "../connection/connection.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import type { Rooms } from "../rooms/rooms.ts";
import { Archive } from "./archive.ts";
import { connectedArchive } from "./archive-port.ts";
import { queueAnchors } from "./room-anchors.ts";

/** The archive of a client's own person. `connected` is the connection of now, also before it is ready for others. */
export async function openArchive(
  context: RoomContext,
  rooms: Rooms,
  connected: () => Connection | undefined,
): Promise<Archive> {
  const { profile, directory, signKey } = context;
  const online = async (timeoutMs: number) => {
    const now = connected();
    return now && !now.closed ? now : await context.online(timeoutMs, context.signal);
  };
  return await Archive.open({
    identity: {
      user: profile.user,
      device: profile.device,
      signKey,
      sealKey: await sealingKeyOf(profile.secrets.seal),
      directory,
    },
    port: connectedArchive(online),
    store: context.store,
    history: context.history,
    clock: context.clock,
    random: context.random,
    signal: context.signal,
    checked: context.checks.archive,
    queueAnchors: () =>
      queueAnchors(
        context,
        rooms.all().map(({ replica }) => replica.state),
      ),
    hold: async (room, task) => {
      const known = rooms.get(room);
      return known ? await known.replica.exclusive(task) : await task();
    },
    // A room that is read on after a while away comes first.
    busy: () =>
      rooms.all().some(({ replica }) => replica.state.phase === "active" && !replica.caughtUp),
    refusal: () => directory.refusal(),
    refreshDirectory: async () => directory.sync(await online(30_000)),
    notice: (text) => context.notice("", text),
  });
}
