import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { describeDirectoryStore } from "./conformance.ts";
import type { DirectoryStore } from "./directory-store.ts";
import { openSqliteDirectory } from "./sqlite.ts";

const newFolder = () => mkdtemp(join(tmpdir(), "sotto-directory-"));

describeDirectoryStore("sqlite", async () => {
  const folder = await newFolder();
  const stores: DirectoryStore[] = [await openSqliteDirectory({ folder })];
  return {
    store: stores[0] as DirectoryStore,
    async reopen() {
      await stores.at(-1)?.[Symbol.asyncDispose]();
      stores.push(await openSqliteDirectory({ folder }));
      return stores.at(-1) as DirectoryStore;
    },
    async [Symbol.asyncDispose]() {
      await stores.at(-1)?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
});

test("a file of a newer version is refused, and so is one that is damaged", async () => {
  const folder = await newFolder();
  const path = join(folder, "directory.db");
  const db = new DatabaseSync(path);
  db.exec("PRAGMA user_version = 99");
  db.close();
  await expect(openSqliteDirectory({ folder })).rejects.toMatchObject({ code: "TOO_OLD" });
  await writeFile(path, Buffer.alloc(8192, 0x41));
  await expect(openSqliteDirectory({ folder })).rejects.toMatchObject({ code: "CORRUPT" });
  await rm(folder, { recursive: true });
});

test("a file of the first version keeps all it holds, and takes what is new", async () => {
  const folder = await newFolder();
  const old = join(import.meta.dirname, "..", "test", "fixtures", "directory-v1.db");
  await copyFile(old, join(folder, "directory.db"));
  await using store = await openSqliteDirectory({ folder });
  const texts = (await store.read(0, 10)).map(({ bytes }) => Buffer.from(bytes).toString());
  expect(texts).toEqual(["first record", "second record"]);
  expect(await store.roomsOf("aa".repeat(16))).toEqual(["dd".repeat(16)]);
  expect(await store.getInvite("bb".repeat(32))).toMatchObject({ usesLeft: 2 });
  expect(await store.listDisabled()).toEqual([]);
  expect(await store.setDisabled("aa".repeat(16), 5)).toBe(true);
});

test("a file of the second version keeps all it holds, and takes what is new", async () => {
  const folder = await newFolder();
  const old = join(import.meta.dirname, "..", "test", "fixtures", "directory-v2.db");
  await copyFile(old, join(folder, "directory.db"));
  await using store = await openSqliteDirectory({ folder });
  const texts = (await store.read(0, 10)).map(({ bytes }) => Buffer.from(bytes).toString());
  expect(texts).toEqual(["first record", "second record"]);
  expect(await store.getInvite("bb".repeat(32))).toMatchObject({ usesLeft: 2 });
  expect(await store.roomsOf("aa".repeat(16))).toEqual(["dd".repeat(16)]);
  expect(await store.listDisabled()).toEqual([{ user: "cc".repeat(16), since: 7 }]);
  const opening = { channel: "ee", owner: "aa", now: 1, expiresAt: 2, ownedMax: 1, allMax: 1 };
  expect(await store.openMailbox(opening)).toBe("OPEN");
});

test("calls beyond the bound are refused, and those that were taken are answered", async () => {
  const folder = await newFolder();
  await using store = await openSqliteDirectory({ folder, pendingCallsMax: 5 });
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => store.size()));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
  expect(outcomes.at(-1)).toMatchObject({ reason: { code: "UNAVAILABLE" } });
  expect(await store.size()).toBe(0);
});
