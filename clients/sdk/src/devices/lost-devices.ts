import { revokeDeviceRecord } from "@sotto/identity";
import { type DeviceId, parseDeviceId } from "@sotto/protocol";
import { textOf, utf8 } from "../bytes.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import type { RoomContext } from "../rooms/room-context.ts";
import type { Rooms } from "../rooms/rooms.ts";
import { submitRecord } from "./own-chain.ts";

const key = "lost-devices";
/** The rooms are entered first, on the strength of the devices that are about to go: each within this time. */
const enterWithinMs = 30_000;
const pollMs = 100;

/** Remembers devices that a recovery has to revoke; none: forgets. */
export function lostDevicesChange(devices: readonly DeviceId[]): StoreChange {
  const value = devices.length > 0 ? utf8(JSON.stringify(devices)) : undefined;
  return { table: "meta", key, value };
}

/**
 * Ends a recovery: waits until this device is in its person's rooms, or none is entered for half a minute, and
 * revokes the devices that were lost. Goes on where an earlier start of the client was interrupted. Resolves with how many it
 * revoked.
 */
export async function revokeLostDevices(context: RoomContext, rooms: Rooms): Promise<number> {
  const { store, clock, signal, directory, profile, signKey } = context;
  const stored = await store.get("meta", key);
  if (!stored) return 0;
  const lost = (JSON.parse(textOf(stored)) as string[]).map((id) => parseDeviceId(id));
  let before = 0;
  for (let waited = 0; waited < enterWithinMs; waited += pollMs) {
    const inside = countInside(rooms);
    if (inside >= rooms.expected) break;
    if (inside > before) waited = 0;
    before = inside;
    await clock.sleep(pollMs, signal);
  }
  let revoked = 0;
  const by = { device: profile.device, signer: signKey };
  for (const id of lost) {
    const index = await submitRecord(context, async (place) => {
      const device = directory.directory.device(id);
      const stands = device?.user === profile.user && device.revokedAt === undefined;
      return stands ? await revokeDeviceRecord(place, id, by) : undefined;
    });
    if (index !== undefined) revoked++;
  }
  await store.commit([lostDevicesChange([])]);
  return revoked;
}

/** Rooms of the person that have this device in them. */
function countInside(rooms: Rooms): number {
  return rooms.all().filter(({ replica }) => replica.state.phase === "active").length;
}
