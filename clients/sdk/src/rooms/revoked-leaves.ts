import type { Group } from "@sotto/mls";
import type { DeviceId, UserId } from "@sotto/protocol";
import type { DirectoryReplica } from "../directory/directory-replica.ts";
import type { LeafName } from "./envelopes.ts";

/** True for a device whose revocation this client knows of. */
export function isRevoked({ directory }: DirectoryReplica, device: DeviceId): boolean {
  return directory.device(device)?.revokedAt !== undefined;
}

/** Devices in a group that were revoked: nothing may be sealed for them any more. */
export function revokedLeaves(directory: DirectoryReplica, group: Group): LeafName[] {
  return group
    .members()
    .map(({ user, device }) => ({ user: user as UserId, device: device as DeviceId }))
    .filter(({ device }) => isRevoked(directory, device));
}
