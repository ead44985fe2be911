import { fromBinary } from "@bufbuild/protobuf";
import type { BusSubscription } from "@sotto/bus";
import type { Timer } from "@sotto/clock";
import { DirectoryHintSchema, RosterChangeSchema, subjects } from "@sotto/interservice";
import { parseRoomId, parseUserId, toSafeNumber } from "@sotto/protocol";
import type { Keyserver } from "./commands/command.ts";

/** Hears what other replicas did; its own hints come back too, and change nothing. */
export function hints(server: Keyserver): Promise<BusSubscription>[] {
  const { bus } = server;
  return [
    bus.subscribe(subjects.hintRoster, ({ data }) => hearRoster(server, data), {
      onDropped: () => server.changes.renew(),
    }),
    bus.subscribe(subjects.hintDirectory, async ({ data }) => {
      const { size } = fromBinary(DirectoryHintSchema, data);
      if (size > server.state.directory.size) await server.state.catchUp();
    }),
    bus.subscribe(subjects.hintHandBack, ({ data }) => server.takeBack.hear(data)),
    bus.subscribe(subjects.hintDisabled, () => server.disabled.changed()),
    bus.subscribe(subjects.hintGrants, () => server.grants.changed()),
  ];
}

/** While the bus was away, hints of other replicas were lost without a trace. */
export function watchBus({ bus, clock, changes, limits }: Keyserver): Timer {
  let away = false;
  return clock.every(limits.busCheckMs, () => {
    if (bus.connected && away) changes.renew();
    away = !bus.connected;
  });
}

function hearRoster(server: Keyserver, data: Uint8Array): void {
  const { room, handshake, users } = fromBinary(RosterChangeSchema, data);
  server.changes.add({
    room: parseRoomId(room),
    handshake: toSafeNumber(handshake),
    users: users.map((user) => parseUserId(user)),
  });
}
