import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { SottoClientError } from "../errors.ts";
import { type DataKeys, readKeyFile, Wrapping, writeOpenKeys } from "./key-file.ts";
import { checkPassphrase, unwrap } from "./passphrase.ts";
import { isSealed } from "./profile-database.ts";

/** What a profile's folder asks for before it opens. */
export type ProfileLock =
  /** There is no key yet: the first store makes one. */
  | "none"
  /** The key lies in a file that only its owner reads. */
  | "open"
  /** The key is wrapped by a passphrase. */
  | "passphrase";

/** The key of one profile, in memory. */
export class ProfileKey {
  /** What to try, the newest last. */
  readonly dataKeys: DataKeys;

  constructor(dataKeys: DataKeys) {
    this.dataKeys = dataKeys;
  }

  /** Throws PROFILE_BROKEN where the key file is none. */
  static lockOf(folder: string): ProfileLock {
    return readKeyFile(folder)?.kind ?? "none";
  }

  /**
   * The key of a profile that asks for no passphrase. Makes it where the folder holds no profile yet: durably,
   * before anything is sealed with it. Throws LOCKED where there is a passphrase.
   */
  static open(folder: string): ProfileKey {
    const file = readKeyFile(folder);
    if (file?.kind === "open") return new ProfileKey(file.keys);
    if (file) {
      throw new SottoClientError("LOCKED", "this profile is locked: it needs its passphrase");
    }
    const key = ProfileKey.#make(folder);
    writeOpenKeys(folder, key.dataKeys);
    return key;
  }

  /** The key of a profile with a passphrase. Rejects with WRONG_PASSPHRASE; of an open one it asks nothing. */
  static async unlock(folder: string, passphrase: Uint8Array): Promise<ProfileKey> {
    const file = readKeyFile(folder);
    if (file?.kind !== "passphrase") return ProfileKey.open(folder);
    return new ProfileKey((await unwrap(passphrase, file)).keys);
  }

  /** Makes the key of a new profile and wraps it at once: it is never stored in the clear. */
  static async makeLocked(folder: string, passphrase: Uint8Array): Promise<ProfileKey> {
    checkPassphrase(passphrase);
    const wrapping = await Wrapping.make(passphrase);
    const key = ProfileKey.#make(folder);
    wrapping.write(folder, key.dataKeys);
    return key;
  }

  static #make(folder: string): ProfileKey {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // A new key would not open what is there: say so, and leave the place for the old one.
    if (isSealed(folder)) {
      throw new SottoClientError(
        "PROFILE_BROKEN",
        `the profile in ${folder} has lost its key file, profile.key`,
      );
    }
    return new ProfileKey([randomBytes(32)]);
  }
}
