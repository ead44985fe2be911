import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseObjectId } from "@sotto/protocol";
import type { OpenedMedia } from "@sotto/sdk";
import { fileSource, saveTo } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { announcementKey, parseAnnouncement } from "../../clients/sdk/src/media/announcements.ts";
import { sourceOf } from "./film.ts";
import { entries, type Joined, until, World } from "./world.ts";

const megabytes = (count: number) => randomBytes(count * 1_000_000 + 123);

async function read(media: OpenedMedia, start = 0, end = media.bytes): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of media.read(start, end)) parts.push(part);
  return Buffer.concat(parts);
}

async function announced(person: Joined): Promise<string> {
  let object = "";
  await until("the film is announced", async () => {
    object =
      (await entries(person)).flatMap((entry) =>
        entry.type === "media" ? [entry.object] : [],
      )[0] ?? "";
    return object !== "";
  });
  return object;
}

test("a shared film is watched from any byte, and is the sender's to the last one", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const film = megabytes(6);
  const shared = await alice.client.media.share("general", sourceOf(film));
  expect(shared).toMatchObject({ bytes: film.length, pieces: 6 });
  const media = await bob.client.media.open(await announced(bob));
  expect(media).toMatchObject({ name: "film.mp4", bytes: film.length, mime: "video/mp4" });
  expect((await read(media)).equals(film)).toBe(true);
  for (let i = 0; i < 10; i++) {
    const [start, end] = [Math.random(), Math.random()]
      .map((part) => Math.floor(part * film.length))
      .sort((a, b) => a - b) as [number, number];
    expect(
      (await read(media, start, end)).equals(film.subarray(start, end)),
      `${start}-${end}`,
    ).toBe(true);
  }
});

test("a viewer who jumps away takes no more of what was before", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const film = megabytes(20);
  const { object } = await alice.client.media.share("general", sourceOf(film));
  const media = await alice.client.media.open(object);
  for await (const first of media.read(0, film.length)) {
    expect(first.length).toBeGreaterThan(0);
    break;
  }
  expect(
    (await read(media, 15_000_000, 15_000_100)).equals(film.subarray(15_000_000, 15_000_100)),
  ).toBe(true);
});

test("an upload that was cut off goes on where it stopped", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const film = megabytes(8);
  const stop = new AbortController();
  const cut = alice.client.media.share("general", sourceOf(film), {
    signal: stop.signal,
    onProgress: (done) => {
      if (done > 4_000_000) stop.abort(new Error("the cable was pulled"));
    },
  });
  await expect(cut).rejects.toThrow("the cable was pulled");
  const again = await alice.client.media.share("general", sourceOf(film));
  const media = await bob.client.media.open(await announced(bob));
  expect(media.object).toBe(again.object);
  expect((await read(media)).equals(film)).toBe(true);
  expect((await entries(bob)).filter(({ type }) => type === "media")).toHaveLength(1);
});

test("a film goes on over a restart of the server, while it is shared and while it is watched", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const film = megabytes(8);
  let restarted: Promise<void> | undefined;
  const shared = await alice.client.media.share("general", sourceOf(film), {
    onProgress: (done) => {
      if (done > 3_000_000) restarted ??= world.stopServer().then(() => world.startServer());
    },
  });
  await restarted;
  const media = await alice.client.media.open(shared.object);
  const parts: Uint8Array[] = [];
  for await (const part of media.read(0, film.length)) {
    parts.push(part);
    if (parts.length === 1) await world.stopServer().then(() => world.startServer());
  }
  expect(Buffer.concat(parts).equals(film)).toBe(true);
});

test("a piece that was altered on the server's disk is refused, and nothing of it is shown", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const film = megabytes(3);
  const { object } = await alice.client.media.share("general", sourceOf(film));
  await world.stopServer();
  const folder = join(world.data, "media", "blobs");
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !path.includes(object)) continue;
    const bytes = await readFile(path);
    if (bytes.length < 1_000_000) continue;
    bytes[500_000] = (bytes[500_000] ?? 0) ^ 1;
    await writeFile(path, bytes);
  }
  await world.startServer();
  const media = await alice.client.media.open(object);
  await expect(read(media)).rejects.toMatchObject({ code: "ALTERED" });
});

test("a file is received whole or not at all, and goes on after an interruption", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-save-"));
  try {
    await using world = await World.start();
    const [alice, bob] = await world.people("alice", "bob");
    const original = join(folder, "original.bin");
    const film = megabytes(9);
    await writeFile(original, film);
    await using source = await fileSource(original);
    const { object } = await alice.client.media.share("general", source);
    await announced(bob);
    const media = await bob.client.media.open(object);
    const target = join(folder, "received.bin");
    const stop = new AbortController();
    const onProgress = (done: number) => {
      if (done > 4_000_000) stop.abort(new Error("enough"));
    };
    await expect(saveTo(media, target, { signal: stop.signal, onProgress })).rejects.toThrow(
      "enough",
    );
    expect((await readdir(folder)).some((name) => name === "received.bin")).toBe(false);
    const saved = await saveTo(media, target, { signal: new AbortController().signal });
    expect(saved.bytes).toBe(film.length);
    expect((await readFile(target)).equals(film)).toBe(true);
    expect((await readdir(folder)).sort()).toEqual(["original.bin", "received.bin"]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("who shared an object deletes it for everybody; others may not", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const { object } = await alice.client.media.share("general", sourceOf(megabytes(1)));
  await announced(bob);
  await expect(bob.client.media.delete(object)).rejects.toMatchObject({ name: "SottoError" });
  await alice.client.media.delete(object);
  await until("bob knows", async () => (await bob.client.media.list()).length === 0);
  await expect(alice.client.media.open(object)).rejects.toMatchObject({ code: "UNKNOWN_OBJECT" });
});

test("who announces somebody's film in another room first keeps nobody from it", async () => {
  await using world = await World.start();
  const [alice, mallory, bob] = await world.people("alice", "mallory", "bob");
  const film = megabytes(2);
  const { room } = await alice.client.rooms.create("films");
  await alice.client.rooms.add(room, "mallory");
  const { object } = await alice.client.media.share(room, sourceOf(film));
  await until("mallory has it", async () => (await mallory.client.media.list()).length === 1);
  // Her own words about it, in a room that bob is in already.
  const stored = await mallory.store.get("media", announcementKey(parseObjectId(object), room));
  const { manifest } = parseAnnouncement(`${object}/${room}`, stored ?? new Uint8Array());
  const general = await mallory.client.rooms.target("general");
  await general.say({ case: "media", value: { ...manifest, name: "hers.mp4" } });
  await until("bob has read it", async () => (await bob.client.media.list()).length === 1);
  await expect(bob.client.media.open(object, { room: "general" }).then(read)).rejects.toThrow();
  await alice.client.rooms.add(room, "bob");
  await until("bob has both", async () => (await bob.client.media.list()).length === 2);
  for (const options of [{}, { room: "films" }, { room }]) {
    const media = await bob.client.media.open(object, options);
    expect(media).toMatchObject({ name: "film.mp4", room, sender: alice.client.profile.user });
    expect((await read(media)).equals(film)).toBe(true);
  }
  const nowhere = bob.client.media.open(object, { room: "@mallory" });
  await expect(nowhere).rejects.toMatchObject({ code: "UNKNOWN_ROOM" });
});
