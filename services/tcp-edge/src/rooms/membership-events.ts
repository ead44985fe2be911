import { type DeviceId, fromHex, type UserId } from "@sotto/protocol";
import type { ConnectedDevices } from "../connection/connected-devices.ts";
import { eventFrame } from "../connection/frames.ts";
import type { PresenceFeed } from "../presence/presence-feed.ts";
import type { RosterChange } from "./rosters.ts";

/** Tells devices that a room's handshake record let them in or removed them. */
export function tellMembership(change: RosterChange, devices: ConnectedDevices): void {
  const { room, before, after } = change;
  const roomBytes = fromHex(room);
  for (const [device, { entered }] of after.devices) {
    if (before?.devices.get(device)?.entered === entered) continue;
    const value = { room: roomBytes, sequence: BigInt(entered) };
    tell(devices, device, { case: "roomEntered", value });
  }
  for (const device of before?.devices.keys() ?? []) {
    if (after.devices.has(device)) continue;
    const value = { room: roomBytes, sequence: BigInt(after.foldedTo) };
    tell(devices, device, { case: "roomLeft", value });
  }
}

/** Users who came into a room by a change. */
export function newcomersOf({ before, after }: RosterChange): Set<UserId> {
  const newcomers = new Set<UserId>();
  for (const { user } of after.devices.values()) newcomers.add(user);
  for (const { user } of before?.devices.values() ?? []) newcomers.delete(user);
  return newcomers;
}

/** People who came into a room, and those who are there, hear of each other. */
export function introduceNewcomers(change: RosterChange, feed: PresenceFeed): void {
  const newcomers = newcomersOf(change);
  if (newcomers.size > 0) void feed.met(change.room, newcomers).catch(() => undefined);
}

function tell(
  devices: ConnectedDevices,
  device: DeviceId,
  body: Parameters<typeof eventFrame>[0],
): void {
  let frame: Uint8Array | undefined;
  for (const connection of devices.ofDevice(device)) {
    frame ??= eventFrame(body);
    connection.tell(frame);
  }
}
