import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryStore } from "@sotto/sdk";
import { SqliteStore } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { entries, texts, until, World } from "./world.ts";

test("what was said while the server was away is sent once when it is back, in order", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.send("general", "before");
  await world.stopServer();
  const sends = Array.from({ length: 10 }, (_, i) =>
    alice.client.send("general", `meanwhile ${i}`),
  );
  await world.startServer();
  const sent = await Promise.all(sends);
  expect(sent.map(({ sequence }) => sequence)).toEqual(
    [...sent.map(({ sequence }) => sequence)].sort((a, b) => a - b),
  );
  const wanted = ["before", ...Array.from({ length: 10 }, (_, i) => `meanwhile ${i}`)];
  await until("bob has all", async () => (await texts(bob)).length >= wanted.length);
  expect(await texts(bob)).toEqual(wanted);
});

test("the outbox outlives the client: another one on the same profile sends it, once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-outbox-"));
  try {
    await using world = await World.start();
    await world.person("alice");
    const bob = await world.person("bob", { store: new SqliteStore(folder) });
    await world.stopServer();
    const lost = bob.client.send("general", "kept");
    lost.catch(() => {});
    await until(
      "it is in the outbox",
      async () => (await bob.store.scan("outbox", { limit: 10 })).length === 1,
    );
    await bob[Symbol.asyncDispose]();
    await world.startServer();
    const again = await world.open("bob", new SqliteStore(folder));
    await until("it was sent", async () => (await texts(again)).includes("kept"));
    expect(await again.store.scan("outbox", { limit: 10 })).toEqual([]);
    expect((await texts(again)).filter((text) => text === "kept")).toHaveLength(1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a member who was away gets everything in order, and history survives a restart of both sides", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await bob[Symbol.asyncDispose]();
  for (let i = 0; i < 20; i++) await alice.client.send("general", `note ${i}`);
  await world.stopServer();
  await world.startServer();
  const back = await world.open("bob", bob.store);
  await back.client.ready();
  expect(await texts(back)).toEqual(Array.from({ length: 20 }, (_, i) => `note ${i}`));
});

test("a device that lost its group state comes back by itself, and says so", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const room = bob.client.rooms.find("general").room;
  await bob[Symbol.asyncDispose]();
  await bob.store.commit([
    { table: "groups", key: room, value: undefined },
    { table: "rooms", key: room, value: undefined },
  ]);
  await bob.store.commit(
    (await bob.store.scan("key-packages", { limit: 100 })).map(({ key }) => ({
      table: "key-packages",
      key,
      value: undefined,
    })),
  );
  const back = await world.open("bob", bob.store);
  await until("bob is in again", () =>
    back.client.rooms.list().some((view) => view.room === room && view.phase === "active"),
  );
  await alice.client.send("general", "welcome back");
  await until("bob hears again", async () => (await texts(back)).includes("welcome back"));
  expect(
    (await entries(alice)).some(
      (entry) => entry.type === "membership" && entry.change === "rejoined",
    ),
  ).toBe(true);
});

test("commits of many at once have one winner each, and everybody ends in the same room", async () => {
  await using world = await World.start();
  const [alice, bob, carol] = await world.people("alice", "bob", "carol");
  const names = ["one", "two", "three", "four", "five", "six"];
  await Promise.all(
    names.map(async (name, i) => {
      const maker = [alice, bob, carol][i % 3] ?? alice;
      await maker.client.rooms.create(name);
      for (const other of ["alice", "bob", "carol"].filter((person) => person !== maker.name)) {
        await maker.client.rooms.add(name, other);
      }
    }),
  );
  const late = await Promise.all(
    ["dave", "erin"].map(async (name) => {
      const store = new MemoryStore();
      const { invite } = await bob.client.invite();
      const { join: joinServer } = await import("@sotto/sdk");
      await joinServer({ invite, name, store, transport: world.transport, suite: "classical" });
      return await world.open(name, store);
    }),
  );
  for (const person of late) await person.client.rooms.waitFor("general", 15_000);
  for (const person of [alice, bob, carol, ...late]) {
    await until(
      `${person.name} sees all five`,
      () => person.client.rooms.members("general").length === 5,
      15_000,
    );
  }
  await late[0]?.client.send("general", "hello from dave");
  for (const person of [alice, bob, carol]) {
    await until("it is heard", async () => (await texts(person)).includes("hello from dave"));
  }
});
