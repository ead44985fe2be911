import { toBinary } from "@bufbuild/protobuf";
import { parseDeviceId, toHex } from "@sotto/protocol";
import { MediaManifestSchema } from "@sotto/protocol/content";
import { expect, test } from "vitest";
import { profileFolder } from "../../test/profile-folder.ts";
import {
  alice,
  announced,
  deleted,
  elsewhere,
  mallory,
  object,
  openable,
  room,
} from "../../test/said-media.ts";
import { textOf, utf8 } from "../bytes.ts";
import { SqliteStore } from "../node/sqlite-store.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import type { ProfileStore, StoreChange } from "../ports/profile-store.ts";
import { loadProfile, profileChanges } from "../profile.ts";
import { History } from "./history.ts";
import { deletedKey, formerDeletedKey } from "./history-keys.ts";
import { entryOf, remembered, type SaidMessage } from "./said-message.ts";

const seed = new Uint8Array(32).fill(7);

/** The row by which format 2 kept an object, whichever room it was of. */
function formerRow(said: SaidMessage): StoreChange {
  const { body } = said.content;
  if (body.case !== "media") throw new Error("not an announcement");
  const { room, sequence, sender } = said;
  const manifest = toHex(toBinary(MediaManifestSchema, body.value));
  const json = { room, sequence, sender, at: 0, manifest };
  return { table: "media", key: object, value: utf8(JSON.stringify(json)) };
}

const orderAt = (at: number) => String(at).padStart(16, "0");

/** What format 2 kept of messages in their order, of which `standing` was the one that could be opened. */
function formerStore(
  messages: readonly SaidMessage[],
  standing: SaidMessage | undefined,
  kept = true,
): StoreChange[] {
  const changes: StoreChange[] = [{ table: "meta", key: "history-format", value: utf8("2") }];
  for (const [at, said] of messages.entries()) {
    const key = orderAt(at + 1);
    const value = utf8(JSON.stringify(entryOf(said)));
    changes.push({ table: "history", key, value });
    const archived = remembered(said, true);
    if (kept) changes.push({ table: "remembered", key, value: archived });
    if (said.content.body.case !== "mediaDeleted") continue;
    changes.push({ table: "history-index", key: formerDeletedKey(object), value: utf8(key) });
  }
  return standing ? [...changes, formerRow(standing)] : changes;
}

const forged = announced("forged", { room: elsewhere, sender: mallory });
const hers = announced("hers");
const hidden = formerStore([forged, hers], forged);

test.each([
  ["MemoryStore", async () => new MemoryStore()],
  [
    "SqliteStore",
    async () => {
      const folder = await profileFolder();
      const store = new SqliteStore(folder.path);
      const close = store[Symbol.asyncDispose].bind(store);
      store[Symbol.asyncDispose] = async () => {
        await close();
        await folder[Symbol.asyncDispose]();
      };
      return store;
    },
  ],
])("what another room's announcement hid in format 2 is there again, in a %s", async (_, make) => {
  await using store: ProfileStore = await make();
  await store.commit(hidden);
  await History.open(store);
  expect(await openable(store, elsewhere)).toBe("forged");
  expect(await openable(store, room)).toBe("hers");
  expect(await store.scan("media", { limit: 9 })).toHaveLength(2);
});

test("where no messages were kept, what could be opened still can", async () => {
  const store = new MemoryStore();
  await store.commit(formerStore([hers], hers, false));
  await History.open(store);
  expect(await openable(store)).toBe("hers");
});

test("what its sender deleted stays deleted, and what another one deleted is there again", async () => {
  for (const [deletion, stays] of [
    [deleted(), false],
    [deleted({ sender: mallory }), true],
    [deleted({ room: elsewhere }), true],
  ] as const) {
    const store = new MemoryStore();
    await store.commit(formerStore([hers, deletion], undefined));
    await History.open(store);
    expect((await openable(store)) !== undefined).toBe(stays);
    const { room, sender } = deletion;
    const index = await store.get("history-index", deletedKey(object, room, sender));
    expect(index).toEqual(utf8(orderAt(2)));
    expect(await store.get("history-index", formerDeletedKey(object))).toBeUndefined();
  }
});

/** A store whose process ends at its `last`th commit. */
class Ending extends MemoryStore {
  left = Number.POSITIVE_INFINITY;
  override async commit(changes: readonly StoreChange[]): Promise<void> {
    if (this.left-- <= 0) throw new Error("the process ended");
    await super.commit(changes);
  }
}

test("a crash at any commit leaves what the next start brings up", async () => {
  const messages = [forged, hers, deleted({ room: elsewhere, sender: mallory })];
  for (let commits = 0; ; commits++) {
    const store = new Ending();
    await store.commit(formerStore(messages, forged));
    store.left = commits;
    const ended = await History.open(store).then(
      () => false,
      () => true,
    );
    store.left = Number.POSITIVE_INFINITY;
    await History.open(store);
    expect(await openable(store), `${commits}`).toBe("hers");
    expect(await openable(store, elsewhere), `${commits}`).toBeUndefined();
    if (ended) continue;
    expect(commits).toBeGreaterThan(3);
    return;
  }
});

test("a store that a newer client wrote is refused as it is", async () => {
  const store = new MemoryStore();
  await store.commit([{ table: "meta", key: "history-format", value: utf8("4") }]);
  await expect(History.open(store)).rejects.toMatchObject({ code: "PROFILE_BROKEN" });
});

test("a profile that was brought up says so to older clients", async () => {
  const store = new MemoryStore();
  const secrets = { auth: seed, sign: seed, mls: seed, seal: seed };
  const server = { host: "127.0.0.1", port: 7443 };
  const named = { user: alice, device: parseDeviceId("03".repeat(16)), name: "alice" };
  const profile = { ...named, server, serverKeySha256: seed, suite: "x-wing", secrets } as const;
  const [row] = profileChanges(profile);
  const former = JSON.stringify({ ...JSON.parse(textOf(row?.value ?? seed)), version: 1 });
  await store.commit([{ table: "meta", key: "profile", value: utf8(former) }]);
  await History.open(store);
  expect(await loadProfile(store)).toEqual(profile);
  const raised = await store.get("meta", "profile");
  expect(JSON.parse(textOf(raised ?? seed))).toMatchObject({ version: 2 });
});
