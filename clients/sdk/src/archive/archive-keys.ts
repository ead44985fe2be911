import type { DirectoryDevice } from "@sotto/identity";
import { type DeviceId, fromHex, parseDeviceId, toHex } from "@sotto/protocol";
import type { ArchiveKeys } from "@sotto/protocol/devices";
import { randomBytes } from "../bytes.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import { type ArchiveIdentity, goodDevices, revokedDevices } from "./archive-identity.ts";
import { type ArchiveKeyId, newArchiveKey, openArchiveKey, sealArchiveKey } from "./archive-key.ts";
import type { ArchivePort } from "./archive-port.ts";
import { type OpenedArchiveRecord, signArchiveRecord } from "./archive-record.ts";
import type { ArchiveState } from "./archive-state.ts";

/** Devices that one record of keys may name; a user has far fewer. */
const sealedKeysMax = 64;

/** Takes a record of keys: who has which, which one is written under, and who does not count any more. */
export async function takeKeys(
  identity: ArchiveIdentity,
  state: ArchiveState,
  sequence: number,
  { device, directorySize }: OpenedArchiveRecord,
  { keyId, sealed, current }: ArchiveKeys,
): Promise<StoreChange[]> {
  if (keyId.length !== 16 || sealed.length > sealedKeysMax) return [];
  if (sealed.some((one) => one.device.length !== 16)) return [];
  const id = toHex(keyId);
  const key = await openArchiveKey(identity, id, sealed);
  const holders = sealed.map((one) => parseDeviceId(one.device));
  if (!current) return state.learn(id, holders, key);
  for (const { id: revoked, revokedAt } of revokedDevices(identity)) {
    // The key was changed because of it: from here on nothing of that device counts.
    if (revokedAt < directorySize && revoked !== device && !state.known.barred.has(revoked))
      state.known.barred.set(revoked, sequence);
  }
  state.known.current = id;
  return state.learn(id, holders, key, directorySize);
}

/** Gives every key that this device has to the devices that lack it. True where anything was written. */
export async function grantKeys(
  identity: ArchiveIdentity,
  state: ArchiveState,
  port: ArchivePort,
  to: readonly DirectoryDevice[],
): Promise<StoreChange[]> {
  const changes: StoreChange[] = [];
  for (const [id, { key, holders }] of state.keys) {
    const missing = to.filter((device) => !holders.has(device.id));
    if (!key || missing.length === 0) continue;
    await appendKeys(identity, port, id, key, missing);
    changes.push(...state.learn(id, names(missing), key));
  }
  return changes;
}

/** Devices that hold no copy of a key that this device has. */
export function lacking(identity: ArchiveIdentity, state: ArchiveState): DirectoryDevice[] {
  const keys = [...state.keys.values()].filter(({ key }) => key !== undefined);
  return goodDevices(identity).filter(({ id }) => keys.some(({ holders }) => !holders.has(id)));
}

/**
 * True where a new key is due: there is none, this device has it not, or somebody has it who must not. This device's copy of the
 * directory decides: whoever was revoked since the key was made may have been given it by a record that is not shown.
 */
export function needsNewKey(identity: ArchiveIdentity, state: ArchiveState): boolean {
  const { current } = state;
  if (!current?.key) return true;
  const { holders, madeAtSize = 0 } = current;
  return revokedDevices(identity).some(
    ({ id, revokedAt }) => revokedAt >= madeAtSize || holders.has(id),
  );
}

/** Makes the key under which batches are written from here on, for all good devices. */
export async function changeKey(
  identity: ArchiveIdentity,
  state: ArchiveState,
  port: ArchivePort,
): Promise<StoreChange[]> {
  const { id, key } = await newArchiveKey();
  // Of one moment: who is revoked while the record is made counts as revoked since.
  const madeAtSize = identity.directory.size;
  const devices = goodDevices(identity);
  await appendKeys(identity, port, id, key, devices, madeAtSize);
  state.known.current = id;
  return state.learn(id, names(devices), key, madeAtSize);
}

function names(devices: readonly DirectoryDevice[]): DeviceId[] {
  return devices.map(({ id }) => id);
}

/** With `madeAtSize`, batches are written under the key from here on. */
async function appendKeys(
  identity: ArchiveIdentity,
  port: ArchivePort,
  id: ArchiveKeyId,
  key: Uint8Array,
  to: readonly DirectoryDevice[],
  madeAtSize?: number,
): Promise<void> {
  const sealed = [];
  for (const device of to) sealed.push(await sealArchiveKey(identity.user, id, key, device));
  const value = { keyId: fromHex(id), sealed, current: madeAtSize !== undefined };
  const record = await signArchiveRecord(identity, { case: "keys", value }, madeAtSize);
  await port.append(randomBytes(16), record);
}
