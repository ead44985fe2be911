import { create } from "@bufbuild/protobuf";
import { ClaimedKeyPackageSchema, fromHex, KeyPackageListSchema, toHex } from "@sotto/protocol";
import type { HostileWorld } from "./hostile-world.ts";
import type { Impostor } from "./impostor.ts";
import { storeCommit } from "./lax-keyserver.ts";
import type { ShownDirectory } from "./shown-directory.ts";
import type { Tampering } from "./wire.ts";

/** The server shows a directory that holds the impostor, hands out its KeyPackage, and stores whatever adds it. */
export function letsIn(
  impostor: Impostor,
  keyPackage: Uint8Array,
  shown: ShownDirectory,
  hostile: HostileWorld,
): Tampering {
  const shows = shown.tampering();
  return {
    ...shows,
    request: (body, line) => {
      if (body.case === "commit") return { answer: storeCommit(hostile, body) };
      if (body.case !== "claimKeyPackages") return shows.request?.(body, line);
      if (!body.value.devices.some((device) => toHex(device) === impostor.device)) return undefined;
      const claimed = create(ClaimedKeyPackageSchema, {
        user: fromHex(impostor.user),
        device: fromHex(impostor.device),
        keyPackage,
      });
      const value = create(KeyPackageListSchema, { packages: [claimed] });
      return { answer: { case: "keyPackageList", value } };
    },
  };
}
