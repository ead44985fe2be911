import type { LeafIdentity } from "@sotto/mls";
import type { DeviceId } from "@sotto/protocol";
import { toHex } from "@sotto/protocol";
import { equalBytes } from "../bytes.ts";
import type { RoomContext } from "./room-context.ts";

/**
 * Judges a leaf by the directory as it was at `size`, so that everybody judges alike: was this key
 * certified for this device of this user? A device revoked later stays judged as certified, or nobody
 * could join a group that still holds it; revocation is acted on by removing it.
 */
export function judgeAt(
  { directory, checks }: Pick<RoomContext, "directory" | "checks">,
  size: number,
): (leaf: LeafIdentity, key: Uint8Array) => boolean {
  return (leaf, key) => {
    if (!checks.leafJudged) return true;
    const device = directory.directory.leafAsOf(leaf.device as DeviceId, size);
    return (
      device !== undefined &&
      device.user === leaf.user &&
      equalBytes(device.keys.mls, key) &&
      toHex(leaf.recordHash) === device.recordHash
    );
  };
}
