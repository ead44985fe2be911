import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, copyFile, cp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { tableCodes } from "../src/node/table-codes.ts";
import {
  changePassphrase,
  ProfileKey,
  removePassphrase,
  SqliteStore,
  setPassphrase,
} from "../src/node.ts";
import { loadProfile } from "../src/profile.ts";
import { profileFolder } from "./profile-folder.ts";

const fixture = join(import.meta.dirname, "fixtures", "profile-v1");
const sealedFixture = join(import.meta.dirname, "fixtures", "profile-v2");
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();
const passphrase = Buffer.from("correct horse battery");
const other = Buffer.from("another staple");

/** A row in every table, with canaries in keys and values. */
async function fill(store: SqliteStore): Promise<void> {
  await store.commit([
    { table: "meta", key: "profile", value: Buffer.from("canary-value") },
    { table: "history", key: "0000000000000001", value: Buffer.from("canary-message") },
    { table: "history-index", key: "canary-room/canary-device/canary-id", value: Buffer.from("1") },
    {
      table: "groups",
      key: "canary-room",
      value: Buffer.from(`canary-group ${"x".repeat(20_000)}`),
    },
    { table: "uploads", key: "canary-upload", value: Buffer.from("canary-key") },
  ]);
}

test("neither values nor names of rows are found in the files of a profile", async () => {
  await using folder = await profileFolder();
  {
    await using store = new SqliteStore(folder.path);
    await fill(store);
    expect(await folder.holding("canary")).toEqual([]);
    expect(await folder.holding("profile.db-wal")).toEqual([]);
  }
  expect(await folder.holding("canary")).toEqual([]);
  expect(await folder.holding("CREATE TABLE entries")).toEqual(["profile.db"]);
});

test("files are their owner's alone, and are made anew where they were not", async () => {
  await using folder = await profileFolder();
  const modes = async () =>
    await Promise.all(
      ["profile.db", "profile.db-wal", "profile.db-shm", "profile.key"].map(
        async (name) => (await stat(join(folder.path, name))).mode & 0o777,
      ),
    );
  const before = process.umask(0);
  try {
    await using store = new SqliteStore(folder.path);
    await fill(store);
    expect(await modes()).toEqual([0o600, 0o600, 0o600, 0o600]);
    await chmod(join(folder.path, "profile.db"), 0o644);
  } finally {
    process.umask(before);
  }
  await using again = new SqliteStore(folder.path);
  await fill(again);
  expect(await modes()).toEqual([0o600, 0o600, 0o600, 0o600]);
});

test.each(["without a key file", "with the key file that a crash left"])(
  "a profile of format 1, %s, is sealed where it stands, and nothing of it stays readable",
  async (how) => {
    await using folder = await profileFolder();
    if (how !== "without a key file") ProfileKey.open(folder.path);
    await cp(fixture, folder.path, { recursive: true });
    expect((await folder.holding("canary")).sort()).toEqual(["profile.db", "profile.db-wal"]);
    const seeds: Uint8Array[] = [];
    {
      await using store = new SqliteStore(folder.path);
      const profile = await loadProfile(store);
      expect(profile?.name).toBe("alice");
      seeds.push(...Object.values(profile?.secrets ?? {}));
      expect(seeds).toHaveLength(4);
      const history = await store.scan("history", { limit: 100 });
      expect(history.map(({ value }) => text(value)).join()).toMatch(
        /canary message 0.*canary last words/,
      );
      expect(text(await store.get("uploads", "r/f"))).toBe("canary kept upload");
      expect((await store.scan("rooms", { limit: 9 })).map(({ key }) => key)).toHaveLength(2);
      // While it is open the log of changes is searched too.
      for (const needle of ["canary", ...seeds]) expect(await folder.holding(needle)).toEqual([]);
    }
    for (const needle of ["canary", ...seeds]) expect(await folder.holding(needle)).toEqual([]);
    await using again = new SqliteStore(folder.path);
    expect((await loadProfile(again))?.name).toBe("alice");
  },
);

test("a profile of format 2 is laid out anew where it stands, also by several programs at once", async () => {
  await using folder = await profileFolder();
  await cp(sealedFixture, folder.path, { recursive: true });
  const raw = new DatabaseSync(join(folder.path, "profile.db"));
  const before = raw.prepare("SELECT value FROM entries ORDER BY value").all();
  raw.close();
  const program = `const { SqliteStore } = await import(${JSON.stringify(join(import.meta.dirname, "../src/node.ts"))});
    await new SqliteStore(${JSON.stringify(folder.path)})[Symbol.asyncDispose]();`;
  await Promise.all(
    [1, 2, 3].map(() =>
      promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]),
    ),
  );
  {
    await using store = new SqliteStore(folder.path);
    expect((await loadProfile(store))?.name).toBe("alice");
    const history = await store.scan("history", { limit: 100 });
    expect(history.map(({ key }) => key).slice(0, 3)).toEqual([
      "0000000000000001",
      "0000000000000001.0000000000000007.room.title",
      "0000000000000002",
    ]);
    expect(history).toHaveLength(18);
    expect(history.map(({ value }) => text(value)).join()).toMatch(
      /canary between.*canary message 0.*canary last words/,
    );
    expect(text(await store.get("uploads", "r/f"))).toBe("canary kept upload");
    expect(text(await store.get("history-index", "r/d/i"))).toBe("canary place");
    expect((await store.scan("rooms", { limit: 9 })).map(({ key }) => key)).toHaveLength(2);
    const place = { table: "history-index", key: "r/d/i", value: Buffer.from("another") } as const;
    await store.commit([place]);
    expect(text(await store.get("history-index", "r/d/i"))).toBe("another");
  }
  const laidOut = new DatabaseSync(join(folder.path, "profile.db"));
  const { user_version: version } = laidOut.prepare("PRAGMA user_version").get() as {
    user_version: number;
  };
  expect(version).toBe(3);
  const { freelist_count: free } = laidOut.prepare("PRAGMA freelist_count").get() as {
    freelist_count: number;
  };
  expect(free, "pages of the old layout").toBe(0);
  const kept = laidOut.prepare("SELECT value FROM entries ORDER BY value").all();
  laidOut.close();
  expect(kept).toHaveLength(before.length);
  // All but the row that was replaced is sealed as it was.
  const hex = (row: unknown) => Buffer.from((row as { value: Uint8Array }).value).toString("hex");
  const now = new Set(kept.map(hex));
  expect(before.filter((row) => !now.has(hex(row)))).toHaveLength(1);
});

test("what a crash left of the old pages is swept at the next start", async () => {
  await using folder = await profileFolder();
  await cp(fixture, folder.path, { recursive: true });
  // As a process leaves it that died between sealing and sweeping: sealed rows, and pages that were free before.
  await new SqliteStore(folder.path)[Symbol.asyncDispose]();
  const raw = new DatabaseSync(join(folder.path, "profile.db"));
  raw.exec(
    `PRAGMA secure_delete = OFF; CREATE TABLE old (value); INSERT INTO old VALUES ('canary left');
     DROP TABLE old; UPDATE seal SET scrub = 1;`,
  );
  raw.close();
  expect(await folder.holding("canary")).toEqual(["profile.db"]);
  await new SqliteStore(folder.path)[Symbol.asyncDispose]();
  expect(await folder.holding("canary")).toEqual([]);
});

test("what was deleted or replaced is not in the file any more", async () => {
  await using folder = await profileFolder();
  const sealed = async () => {
    const db = new DatabaseSync(join(folder.path, "profile.db"));
    const rows = db.prepare("SELECT value FROM entries").all() as { value: Uint8Array }[];
    db.close();
    // A part of every page that a value may fill.
    return rows.flatMap(({ value }) =>
      Array.from({ length: Math.ceil(value.length / 2000) }, (_, i) =>
        value.subarray(i * 2000, i * 2000 + 40),
      ),
    );
  };
  {
    await using store = new SqliteStore(folder.path);
    await fill(store);
  }
  const before = await sealed();
  {
    await using store = new SqliteStore(folder.path);
    await store.commit([
      { table: "groups", key: "canary-room", value: undefined },
      { table: "uploads", key: "canary-upload", value: undefined },
      { table: "meta", key: "profile", value: Buffer.from("another") },
    ]);
  }
  const after = new Set((await sealed()).map((bytes) => Buffer.from(bytes).toString("hex")));
  const gone = before.filter((bytes) => !after.has(Buffer.from(bytes).toString("hex")));
  expect(gone.length).toBeGreaterThan(10);
  for (const bytes of gone) expect(await folder.holding(bytes)).toEqual([]);
});

test("a row that was put in the place of another, or changed, is refused", async () => {
  await using folder = await profileFolder();
  {
    await using store = new SqliteStore(folder.path);
    await fill(store);
  }
  const { meta, history, uploads } = tableCodes;
  const swaps = [
    `UPDATE entries SET value = (SELECT value FROM entries WHERE tab = ${uploads}) WHERE tab = ${meta}`,
    `UPDATE entries SET tab = ${meta} WHERE tab = ${uploads}`,
    `UPDATE entries SET key = '0000000000000002' WHERE tab = ${history}`,
    `UPDATE entries SET value = substr(value, 1, 30) WHERE tab = ${history}`,
    `UPDATE entries SET value = x'' WHERE tab = ${history}`,
  ];
  for (const swap of swaps) {
    await using copy = await profileFolder();
    await cp(folder.path, copy.path, { recursive: true });
    const raw = new DatabaseSync(join(copy.path, "profile.db"));
    raw.exec(swap);
    raw.close();
    await using store = new SqliteStore(copy.path);
    await expect(
      (async () => {
        for (const table of ["meta", "history"] as const) await store.scan(table, { limit: 10 });
        await store.get("meta", "profile");
      })(),
      swap,
    ).rejects.toMatchObject({ code: "PROFILE_BROKEN" });
  }
});

test("without its key file, or with another's, a profile says what is wrong and is left alone", async () => {
  await using folder = await profileFolder();
  await using stranger = await profileFolder();
  for (const { path } of [folder, stranger]) {
    await using store = new SqliteStore(path);
    await fill(store);
  }
  const key = join(folder.path, "profile.key");
  const kept = await readFile(key);
  const opens = () => new SqliteStore(folder.path)[Symbol.asyncDispose]();
  await copyFile(join(stranger.path, "profile.key"), key);
  expect(opens).toThrow(expect.objectContaining({ code: "PROFILE_BROKEN" }));
  await rm(key);
  expect(opens).toThrow(/lost its key file/);
  for (const content of [
    "",
    "{}",
    "x".repeat(10_000),
    '{"version":1,"kind":"open","keys":"AAAA"}',
  ]) {
    await writeFile(key, content);
    expect(opens, content.slice(0, 50)).toThrow(
      expect.objectContaining({ code: "PROFILE_BROKEN" }),
    );
  }
  await writeFile(key, kept.toString().replace('"version":1', '"version":2'));
  expect(opens).toThrow(/newer Sotto/);
  await writeFile(key, kept);
  await using store = new SqliteStore(folder.path);
  expect(text(await store.get("meta", "profile"))).toBe("canary-value");
});

test("a passphrase is set, asked for, changed and removed; the store stays open meanwhile", async () => {
  await using folder = await profileFolder();
  const { path } = folder;
  const before = new SqliteStore(path);
  await fill(before);
  const firstKey = Buffer.from(before.dataKey);
  expect(ProfileKey.lockOf(path)).toBe("open");
  await expect(setPassphrase(path, before, Buffer.from("short"))).rejects.toMatchObject({
    code: "BAD_PASSPHRASE",
  });
  await expect(removePassphrase(path, before, passphrase)).rejects.toMatchObject({
    code: "NO_PASSPHRASE",
  });

  await setPassphrase(path, before, passphrase);
  expect(ProfileKey.lockOf(path)).toBe("passphrase");
  expect(text(await before.get("meta", "profile"))).toBe("canary-value");
  await before.commit([{ table: "media", key: "later", value: Buffer.from("later") }]);
  const secondKey = Buffer.from(before.dataKey);
  expect(secondKey.equals(firstKey)).toBe(false);
  await before[Symbol.asyncDispose]();
  for (const secret of ["canary", firstKey, secondKey, passphrase])
    expect(await folder.holding(secret)).toEqual([]);
  expect(() => new SqliteStore(path)).toThrow(expect.objectContaining({ code: "LOCKED" }));
  for (const wrong of [other, Buffer.alloc(0), Buffer.alloc(5000)]) {
    await expect(ProfileKey.unlock(path, wrong)).rejects.toMatchObject({
      code: "WRONG_PASSPHRASE",
    });
  }
  // The key that lay in the clear opens nothing any more.
  expect(() => new SqliteStore(path, new ProfileKey([firstKey]))).toThrow(/not sealed/);

  await using store = new SqliteStore(path, await ProfileKey.unlock(path, passphrase));
  expect((await store.scan("media", { limit: 9 })).map(({ key }) => key)).toEqual(["later"]);
  await expect(setPassphrase(path, store, other)).rejects.toMatchObject({
    code: "PASSPHRASE_EXISTS",
  });
  await expect(changePassphrase(path, store, other, other)).rejects.toMatchObject({
    code: "WRONG_PASSPHRASE",
  });
  const oldFile = await readFile(join(path, "profile.key"));
  await changePassphrase(path, store, passphrase, other);
  await expect(ProfileKey.unlock(path, passphrase)).rejects.toMatchObject({
    code: "WRONG_PASSPHRASE",
  });
  // The old passphrase with a copy of the old file opens nothing of today's.
  const newFile = await readFile(join(path, "profile.key"));
  await writeFile(join(path, "profile.key"), oldFile);
  const oldKey = await ProfileKey.unlock(path, passphrase);
  expect(() => new SqliteStore(path, oldKey)).toThrow(/not sealed/);
  await writeFile(join(path, "profile.key"), newFile);

  await removePassphrase(path, store, other);
  await store[Symbol.asyncDispose]();
  expect(ProfileKey.lockOf(path)).toBe("open");
  await using open = new SqliteStore(path);
  expect(text(await open.get("meta", "profile"))).toBe("canary-value");
}, 60_000);

test("a store that was open while another one replaced the key writes nothing under the old one", async () => {
  await using folder = await profileFolder();
  await using stale = new SqliteStore(folder.path);
  await fill(stale);
  await using store = new SqliteStore(folder.path);
  await setPassphrase(folder.path, store, passphrase);
  const change = { table: "meta", key: "late", value: Buffer.from("late") } as const;
  await expect(stale.commit([change])).rejects.toMatchObject({ code: "PROFILE_BROKEN" });
  await expect(stale.get("meta", "profile")).rejects.toMatchObject({ code: "PROFILE_BROKEN" });
  expect(text(await store.get("meta", "profile"))).toBe("canary-value");
  expect(await store.get("meta", "late")).toBeUndefined();
});

test("two stores see what the other one wrote, names too", async () => {
  await using folder = await profileFolder();
  await using one = new SqliteStore(folder.path);
  await using another = new SqliteStore(folder.path);
  const names = async () => (await one.scan("rooms", { limit: 9 })).map(({ key }) => key);
  expect(await names()).toEqual([]);
  await another.commit([{ table: "rooms", key: "b", value: Buffer.from("b") }]);
  await one.commit([{ table: "rooms", key: "a", value: Buffer.from("a") }]);
  expect(await names()).toEqual(["a", "b"]);
});

test("a new profile may be locked from its first byte on, and one of format 1 at once", async () => {
  await using fresh = await profileFolder();
  await using old = await profileFolder();
  await cp(fixture, old.path, { recursive: true });
  for (const { path } of [fresh, old]) {
    await using store = new SqliteStore(path, await ProfileKey.makeLocked(path, passphrase));
    await fill(store);
    expect(() => new SqliteStore(path)).toThrow(expect.objectContaining({ code: "LOCKED" }));
  }
  for (const folder of [fresh, old]) expect(await folder.holding("canary")).toEqual([]);
});

test("a key file that asks for too much work, or whose cost was changed, opens nothing", async () => {
  await using folder = await profileFolder();
  const { path } = folder;
  await using _ = new SqliteStore(path, await ProfileKey.makeLocked(path, passphrase));
  const file = await readFile(join(path, "profile.key"), "utf8");
  expect(JSON.parse(file)).toMatchObject({ version: 1, kdf: "scrypt", n: 131072, r: 8, p: 1 });
  for (const [change, code] of [
    [{ n: 2 ** 30 }, "PROFILE_BROKEN"],
    [{ r: 1000 }, "PROFILE_BROKEN"],
    [{ p: 1000 }, "PROFILE_BROKEN"],
    [{ n: 3 }, "PROFILE_BROKEN"],
    [{ n: "131072" }, "PROFILE_BROKEN"],
    [{ n: 2 ** 16 }, "WRONG_PASSPHRASE"],
    [{ salt: randomBytes(16).toString("base64") }, "WRONG_PASSPHRASE"],
    [{ wrapped: randomBytes(72).toString("base64") }, "WRONG_PASSPHRASE"],
    [{ kdf: "none" }, "PROFILE_BROKEN"],
  ] as const) {
    await writeFile(join(path, "profile.key"), JSON.stringify({ ...JSON.parse(file), ...change }));
    await expect(ProfileKey.unlock(path, passphrase), JSON.stringify(change)).rejects.toMatchObject(
      { code },
    );
  }
}, 60_000);
