import { create, toBinary } from "@bufbuild/protobuf";
import {
  DirectoryHintSchema,
  DisabledHintSchema,
  GrantsHintSchema,
  RosterChangeSchema,
  subjects,
} from "@sotto/interservice";
import { type DeviceId, fromHex, type RoomId } from "@sotto/protocol";
import type { Keyserver } from "./commands/command.ts";
import type { RosterChanged } from "./recent-changes.ts";

/** Tells edges and other replicas that the directory grew, or that its store was altered. A hint: they also ask. */
export function announceDirectory(
  { bus, state }: Keyserver,
  revoked: readonly DeviceId[] = [],
): void {
  const hint = create(DirectoryHintSchema, {
    size: BigInt(state.directory.size),
    revokedDevices: revoked.map((device) => fromHex(device)),
    altered: state.isAltered,
  });
  bus.publish(subjects.hintDirectory, toBinary(DirectoryHintSchema, hint));
}

/**
 * Tells that the record at `index` stands, and drops the KeyPackages of every device that it revoked. Also where
 * it stood already: what follows from it may not have been done.
 */
export async function announceRecord(server: Keyserver, index: number): Promise<void> {
  const revoked = server.state.directory
    .revokedSince(index)
    .filter(({ revokedAt }) => revokedAt === index)
    .map(({ id }) => id);
  announceDirectory(server, revoked);
  for (const device of revoked) await server.lastResorts.drop(device);
}

/** The same for all records from `from` on. */
export async function announceRecords(server: Keyserver, from: number): Promise<void> {
  const revoked = server.state.directory.revokedSince(from).map(({ id }) => id);
  announceDirectory(server, revoked);
  for (const device of revoked) await server.lastResorts.drop(device);
}

/** Remembers a roster change for edges that ask, and tells it at once. */
export function announceRoster({ bus, changes }: Keyserver, change: RosterChanged): void {
  changes.add(change);
  const hint = create(RosterChangeSchema, {
    room: fromHex(change.room),
    handshake: BigInt(change.handshake),
    users: change.users.map((user) => fromHex(user)),
  });
  bus.publish(subjects.hintRoster, toBinary(RosterChangeSchema, hint));
}

/** Tells edges and other replicas who is switched off now. */
export async function announceDisabled({ bus, disabled }: Keyserver): Promise<void> {
  const users = [...(await disabled.all()).keys()].map((user) => fromHex(user));
  const hint = create(DisabledHintSchema, { users });
  bus.publish(subjects.hintDisabled, toBinary(DisabledHintSchema, hint));
}

/** Tells that there are new grants for these rooms. */
export function announceGrants({ bus, grants }: Keyserver, rooms: readonly RoomId[]): void {
  grants.changed();
  const hint = create(GrantsHintSchema, { rooms: rooms.map((room) => fromHex(room)) });
  bus.publish(subjects.hintGrants, toBinary(GrantsHintSchema, hint));
}
