import {
  type DeviceId,
  fromHex,
  parseDeviceId,
  parseUserId,
  toHex,
  type UserId,
} from "@sotto/protocol";
import { textOf, utf8 } from "./bytes.ts";
import { SottoClientError } from "./errors.ts";
import type { ProfileStore, StoreChange } from "./ports/profile-store.ts";
import type { ServerAddress } from "./ports/transport.ts";

/** Seeds of a device's Ed25519 keys and its sealing key pair. Secret. */
export interface DeviceSecrets {
  readonly auth: Uint8Array;
  readonly sign: Uint8Array;
  readonly mls: Uint8Array;
  readonly seal: Uint8Array;
}

/** Who this device is, and which server it belongs to. */
export interface Profile {
  readonly user: UserId;
  readonly device: DeviceId;
  /** How others call this person. */
  readonly name: string;
  readonly server: ServerAddress;
  /** The server's identity, which the invite pinned. */
  readonly serverKeySha256: Uint8Array;
  /** How people on that server seal. */
  readonly suite: "x-wing" | "classical";
  /** Secret: whoever has them is this device. */
  readonly secrets: DeviceSecrets;
}

/** Raised to 2 with format 3 of the history, which older clients would not understand. */
const formatVersion = 2;

/** Changes that store a profile. */
export function profileChanges(profile: Profile): StoreChange[] {
  const { auth, sign, mls, seal } = profile.secrets;
  const json = {
    version: formatVersion,
    user: profile.user,
    device: profile.device,
    name: profile.name,
    host: profile.server.host,
    port: profile.server.port,
    serverKeySha256: toHex(profile.serverKeySha256),
    suite: profile.suite,
    secrets: { auth: toHex(auth), sign: toHex(sign), mls: toHex(mls), seal: toHex(seal) },
  };
  return [{ table: "meta", key: "profile", value: utf8(JSON.stringify(json)) }];
}

/** Takes a profile back whose device never came to be, with all that it was told by its server. */
export async function forgetProfile(store: ProfileStore): Promise<void> {
  for (const table of ["meta", "directory"] as const) {
    for (;;) {
      const rows = await store.scan(table, { limit: 1000 });
      await store.commit(rows.map(({ key }) => ({ table, key, value: undefined })));
      if (rows.length < 1000) break;
    }
  }
}

/** The stored profile, `undefined` where there is none. Throws PROFILE_BROKEN. */
export async function loadProfile(store: ProfileStore): Promise<Profile | undefined> {
  const bytes = await store.get("meta", "profile");
  if (!bytes) return undefined;
  try {
    const json = JSON.parse(textOf(bytes));
    if (json.version > formatVersion) throw newerProfile();
    return {
      user: parseUserId(String(json.user)),
      device: parseDeviceId(String(json.device)),
      name: String(json.name),
      server: { host: String(json.host), port: Number(json.port) },
      serverKeySha256: fromHex(String(json.serverKeySha256)),
      suite: json.suite === "classical" ? "classical" : "x-wing",
      secrets: {
        auth: fromHex(String(json.secrets.auth)),
        sign: fromHex(String(json.secrets.sign)),
        mls: fromHex(String(json.secrets.mls)),
        seal: fromHex(String(json.secrets.seal)),
      },
    };
  } catch (cause) {
    if (cause instanceof SottoClientError) throw cause;
    throw new SottoClientError("PROFILE_BROKEN", "this profile cannot be read", { cause });
  }
}

/** The refusal of a profile that this client is too old for. */
export function newerProfile(): SottoClientError {
  const text = "this profile was written by a newer Sotto; update this client";
  return new SottoClientError("PROFILE_BROKEN", text);
}
