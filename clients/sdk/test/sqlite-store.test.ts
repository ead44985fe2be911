import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { SqliteStore } from "../src/node/sqlite-store.ts";
import { profileStoreConformance } from "../src/ports/conformance.ts";
import type { ProfileStore } from "../src/ports/profile-store.ts";

const folders = new Map<ProfileStore, string>();
afterAll(async () => {
  for (const folder of folders.values()) await rm(folder, { recursive: true, force: true });
});

const opened = (folder: string) => {
  const store = new SqliteStore(folder);
  folders.set(store, folder);
  return store;
};

profileStoreConformance("SqliteStore", {
  make: async () => opened(await mkdtemp(join(tmpdir(), "sotto-store-"))),
  reopen: async (store) => opened(folders.get(store) ?? ""),
});
