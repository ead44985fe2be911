import type { Checks } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import { afterEach, expect, test, vi } from "vitest";
import { texts, until, World } from "../scenarios/world.ts";
import { suite } from "./config.ts";
import { notices } from "./harness/notices.ts";
import { monthsLater } from "./harness/other-clock.ts";

// The server's certificate lives in the present: what it proves is not what these tests are about.
const later = { clock: monthsLater, checks: { serverPin: false } };

const names = (person: { client: { rooms: { members(room: string): { name: string }[] } } }) =>
  person.client.rooms
    .members("general")
    .map(({ name }) => name)
    .sort()
    .join();

/** A hundred days pass for everybody. */
async function monthsPass(world: World): Promise<void> {
  await world.stopServer();
  vi.useFakeTimers({ toFake: ["Date"], now: monthsLater.now() });
  await world.startServer();
}

afterEach(() => {
  vi.useRealTimers();
});

test("a leaf that ended months ago keeps nobody out: who is added, who comes back, and whose it is", async () => {
  await using world = await World.start(tlsTransport, suite);
  const [alice, bob] = await world.people("alice", "bob");
  // Alice's device lies in a drawer from here on.
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
  await monthsPass(world);

  const bobLater = await world.open("bob", bob.store);
  await bobLater.client.ready();
  const { invite } = await bobLater.client.invite();
  const carol = await world.arrive("carol", invite);
  await until("carol is in", () => carol.client.rooms.named("general").length === 1, 20_000);
  expect(names(carol)).toBe("alice,bob,carol");

  // Somebody who has lost the group comes back by an external commit, which judges every leaf.
  await carol[Symbol.asyncDispose]();
  const { room } = bobLater.client.rooms.find("general");
  await carol.store.commit([{ table: "groups", key: room, value: undefined }]);
  const again = await world.open("carol", carol.store);
  await until("carol is back", () => again.client.rooms.find("general").phase === "active", 20_000);
  await bobLater.client.send("general", "months later");
  await until("carol reads it", async () => (await texts(again)).includes("months later"));

  const aliceLater = await world.open("alice", alice.store);
  await until("alice reads it", async () => (await texts(aliceLater)).includes("months later"));
  await aliceLater.client.send("general", "out of the drawer");
  await until("bob hears alice", async () => (await texts(bobLater)).includes("out of the drawer"));
});

test("control: where lifetimes count on receipt, leaves that ended keep out who is added", async () => {
  const path = "../../libs/mls/src/safe-config.ts";
  type SafeConfig = typeof import("../../libs/mls/src/safe-config.ts");
  vi.doMock(path, async (original) => {
    const real = await original<SafeConfig>();
    const safeConfig: SafeConfig["safeConfig"] = (...given) => {
      const config = real.safeConfig(...given);
      const lifetimeConfig = { ...config.lifetimeConfig, validateLifetimeOnReceive: true };
      return { ...config, lifetimeConfig };
    };
    return { ...real, safeConfig };
  });
  vi.resetModules();
  try {
    const strict = await import("../scenarios/world.ts");
    await using world = await strict.World.start(tlsTransport, suite);
    const [alice, bob] = await world.people("alice", "bob");
    await alice[Symbol.asyncDispose]();
    await bob[Symbol.asyncDispose]();
    await monthsPass(world);
    const bobLater = await world.open("bob", bob.store);
    await bobLater.client.ready();
    const { invite } = await bobLater.client.invite();
    const carol = await world.arrive("carol", invite);
    const told = notices(carol.client);
    const ended = /could not come back into the room: Current time not within Lifetime/;
    await until("carol is kept out", () => told.some((text) => ended.test(text)), 20_000);
    expect(carol.client.rooms.list()).toMatchObject([{ phase: "lost" }]);
  } finally {
    vi.doUnmock(path);
    vi.resetModules();
  }
});

/** Bob was away for months; the server hands alice the package that he published then. Answers whether bob is in. */
async function oldPackage(checks: Partial<Checks>) {
  await using world = await World.start(tlsTransport, suite);
  const alice = await world.person("alice");
  const bob = await world.person("bob");
  await bob[Symbol.asyncDispose]();
  await alice[Symbol.asyncDispose]();
  const again = await world.open("alice", alice.store, {
    ...later,
    checks: { ...later.checks, ...checks },
  });
  const told = notices(again.client);
  await again.client.ready();
  await again.client.rooms.create("plans");
  await again.client.rooms.add("plans", "bob").catch(() => {});
  const members = again.client.rooms.members("plans").map(({ name }) => name);
  return { members, told };
}

test("a KeyPackage that has ended lets nobody in, and it is told", async () => {
  const { members, told } = await oldPackage({});
  expect(members).toEqual(["alice"]);
  expect(told.join("\n")).toMatch(/out of their time; they were not used/);
});

test("control: without that check the old package is used", async () => {
  const { members } = await oldPackage({ keyPackage: false });
  expect(members.toSorted()).toEqual(["alice", "bob"]);
});

test("who comes back after months publishes everything anew, and can be added again", async () => {
  await using world = await World.start(tlsTransport, suite);
  const [alice, bob] = await world.people("alice", "bob");
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
  await monthsPass(world);
  const aliceLater = await world.open("alice", alice.store);
  await aliceLater.client.ready();
  await aliceLater.client.rooms.create("plans");
  await expect(aliceLater.client.rooms.add("plans", "bob")).rejects.toThrow(/published no keys/);
  const bobLater = await world.open("bob", bob.store);
  await bobLater.client.ready();
  await aliceLater.client.rooms.add("plans", "bob");
  await until("bob is in", () => bobLater.client.rooms.named("plans").length === 1, 20_000);
});
