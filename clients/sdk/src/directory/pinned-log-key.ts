import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";

const key = "log-key";

/** The key that signs the directory's checkpoints, where this device has pinned one. */
export async function pinnedLogKey(
  store: Pick<ProfileStore, "get">,
): Promise<Uint8Array | undefined> {
  return await store.get("meta", key);
}

/** Pins the key; nothing where an invite or code carried none: the first sight of it pins it then. */
export function logKeyChanges(logKey: Uint8Array | undefined): StoreChange[] {
  return logKey && logKey.length > 0 ? [{ table: "meta", key, value: logKey }] : [];
}
