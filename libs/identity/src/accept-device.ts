import { deviceCounterInput } from "@sotto/protocol";
import { canonicalJson } from "./canonical-json.ts";
import { sha256 } from "./digest.ts";
import type { Signer } from "./ed25519.ts";
import type { DeviceDescription } from "./record.ts";
import { type ChainPlace, deviceJson } from "./write-record.ts";

/**
 * A new device's word that it accepts to stand at this place of a user's chain: its signing key's signature,
 * made before, and elsewhere than, the record that carries it.
 */
export async function acceptDevice(
  place: ChainPlace,
  device: DeviceDescription,
  signer: Pick<Signer, "sign">,
): Promise<Uint8Array> {
  const { user, seq, prev, at } = place;
  const fields = { v: 1, user, seq, prev, iat: at, typ: "device-add", device: deviceJson(device) };
  const payload = new TextEncoder().encode(canonicalJson(fields));
  return await signer.sign(deviceCounterInput(await sha256(payload)));
}
