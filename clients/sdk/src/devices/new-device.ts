import {
  type DeviceDescription,
  generateEd25519,
  type Signer,
  signerFromSeed,
} from "@sotto/identity";
import { generateSealingKey } from "@sotto/mls";
import { parseDeviceId } from "@sotto/protocol";
import { randomBytes } from "../bytes.ts";
import type { DeviceSecrets } from "../profile.ts";
import { cleanDeviceName } from "./device-name.ts";

/** A device that no record names yet: what others will know of it, and what only it has. */
export interface NewDevice {
  readonly description: DeviceDescription;
  readonly secrets: DeviceSecrets;
  /** Its signing key. */
  readonly signer: Signer;
}

/** A new device with keys of its own, one for each purpose. */
export async function newDevice(name: string): Promise<NewDevice> {
  const [auth, sign, mls, seal] = await Promise.all([
    generateEd25519(),
    generateEd25519(),
    generateEd25519(),
    generateSealingKey(),
  ]);
  return {
    description: {
      id: parseDeviceId(randomBytes(16)),
      name: cleanDeviceName(name),
      auth: auth.publicKey,
      sign: sign.publicKey,
      mls: mls.publicKey,
      seal: seal.publicKey,
    },
    secrets: { auth: auth.seed, sign: sign.seed, mls: mls.seed, seal: seal.privateKey },
    signer: await signerFromSeed(sign.seed),
  };
}
