import { randomBytes } from "node:crypto";
import { SottoClientError } from "../errors.ts";
import { readKeyFile, Wrapping, writeOpenKeys } from "./key-file.ts";
import { checkPassphrase, unwrap } from "./passphrase.ts";
import { ProfileKey } from "./profile-key.ts";
import type { SqliteStore } from "./sqlite-store.ts";

/**
 * Gives a profile a passphrase. `store` is open on `folder`, and stays so. Its rows are sealed anew under a
 * new data key: the old one lay on the disk. A crash leaves the profile under one or the other whole.
 * Answers the key to open it with from now on. Rejects with BAD_PASSPHRASE or PASSPHRASE_EXISTS.
 */
export async function setPassphrase(
  folder: string,
  store: SqliteStore,
  passphrase: Uint8Array,
): Promise<ProfileKey> {
  checkPassphrase(passphrase);
  if (readKeyFile(folder)?.kind === "passphrase") {
    throw new SottoClientError("PASSPHRASE_EXISTS", "this profile has a passphrase already");
  }
  return reseal(folder, store, await Wrapping.make(passphrase));
}

/**
 * Replaces the passphrase; as `setPassphrase`. Who knew the old one and kept a copy of the key file opens
 * nothing that is stored from now on. Rejects with BAD_PASSPHRASE, WRONG_PASSPHRASE or NO_PASSPHRASE.
 */
export async function changePassphrase(
  folder: string,
  store: SqliteStore,
  passphrase: Uint8Array,
  next: Uint8Array,
): Promise<ProfileKey> {
  checkPassphrase(next);
  await prove(folder, passphrase);
  return reseal(folder, store, await Wrapping.make(next));
}

/** Takes the passphrase away: the key lies in a file of its owner's again. Rejects as `changePassphrase`. */
export async function removePassphrase(
  folder: string,
  store: SqliteStore,
  passphrase: Uint8Array,
): Promise<ProfileKey> {
  await prove(folder, passphrase);
  const key = new ProfileKey([Buffer.from(store.dataKey)]);
  writeOpenKeys(folder, key.dataKeys);
  return key;
}

async function prove(folder: string, passphrase: Uint8Array): Promise<void> {
  const file = readKeyFile(folder);
  if (file?.kind !== "passphrase")
    throw new SottoClientError("NO_PASSPHRASE", "this profile has no passphrase");
  await unwrap(passphrase, file);
}

/** While both keys count, the file holds both: whichever the rows are under, it opens them. */
function reseal(folder: string, store: SqliteStore, wrapping: Wrapping): ProfileKey {
  const next = randomBytes(32);
  wrapping.write(folder, [Buffer.from(store.dataKey), next]);
  store.changeKey(next);
  wrapping.write(folder, [next]);
  return new ProfileKey([next]);
}
