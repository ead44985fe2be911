import type { DirectoryDevice, Signer } from "@sotto/identity";
import type { SealingKeyPair } from "@sotto/mls";
import type { DeviceId, UserId } from "@sotto/protocol";
import type { DirectoryReplica } from "../directory/directory-replica.ts";

/** Who reads and writes an archive: a device, or the recovery phrase as one. */
export interface ArchiveIdentity {
  readonly user: UserId;
  readonly device: DeviceId;
  readonly signKey: Signer;
  readonly sealKey: SealingKeyPair;
  /** Whose word tells which devices belong to the user. */
  readonly directory: Pick<DirectoryReplica, "directory" | "size">;
}

/** Devices of the user that are revoked, recovery phrases included. */
export function revokedDevices({ directory, user }: ArchiveIdentity) {
  const devices = directory.directory.user(user)?.devices ?? [];
  return devices.flatMap(({ id, revokedAt }) =>
    revokedAt === undefined ? [] : [{ id, revokedAt }],
  );
}

/** Devices of the user that are not revoked, the recovery phrase included. */
export function goodDevices({ directory, user }: ArchiveIdentity): DirectoryDevice[] {
  const devices = directory.directory.user(user)?.devices ?? [];
  return devices.filter(({ revokedAt }) => revokedAt === undefined);
}
