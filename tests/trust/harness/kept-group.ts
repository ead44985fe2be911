import { createMls, type Group } from "@sotto/mls";
import { toHex } from "@sotto/protocol";
import { loadProfile, type ProfileStore } from "@sotto/sdk";

/** The group state of a room as a device keeps it. Whoever has the store has the group: so the device, so a thief. */
export async function keptGroup(store: ProfileStore, room: string): Promise<Group> {
  const [profile, state, ratchets] = await Promise.all([
    loadProfile(store),
    store.get("groups", room),
    store.get("ratchets", room),
  ]);
  if (!profile || !state) throw new Error("this device keeps no group of that room");
  return await createMls({ suite: profile.suite, now: Date.now }).restore(state, ratchets);
}

/** Epoch and authenticator of what a device keeps: equal for all who are in the same epoch of the same group. */
export async function keptEpoch(store: ProfileStore, room: string): Promise<string> {
  const group = await keptGroup(store, room);
  return `${group.epoch} ${toHex(group.epochAuthenticator)}`;
}
