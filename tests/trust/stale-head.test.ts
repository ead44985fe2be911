import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { notices } from "./harness/notices.ts";
import { ShownDirectory } from "./harness/shown-directory.ts";
import { Wire } from "./harness/wire.ts";

/** Bob is kept at the directory of yesterday, which the server has signed once; everybody else goes on. */
async function attack(checks: Partial<Checks>) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport: wire, checks });
  const told = notices(bob.client);
  const { room } = bob.client.rooms.find("general");
  const old = await ShownDirectory.of(await hostile.keys(), await hostile.identityRecords());
  wire.tampering = old.tampering();
  // Somebody arrives who is in no room with them yet.
  const { invite } = await alice.client.invite({ rooms: [] });
  await world.arrive("carol", invite);
  await until("alice knows carol", () => alice.client.people.all().length === 3);
  // With the server's signature, which her next words carry.
  await alice.client.people.refresh();
  return { hostile, alice, bob, room, told, wire, old };
}

test("a head of somebody's message that the server does not give stops sending until it does", async () => {
  const { hostile, alice, bob, room, told, wire } = await attack({});
  await using _ = hostile;
  await alice.client.send(room, "there are three of us");
  await until("bob has found out", () => told.length > 0, 20_000);
  expect(told.join("\n")).toMatch(
    /holds back records of its key directory: it has signed for 3 and gives 2/,
  );
  const waiting = bob.client.send(room, "are there?");
  waiting.catch(() => {});
  await alice.client.send(room, "still there?");
  await until("bob reads on", async () => (await texts(bob)).includes("still there?"));
  expect(await texts(alice)).not.toContain("are there?");
  // The server gives in: all goes on by itself, and nothing was lost.
  wire.tampering = {};
  wire.cut();
  await until("it was given", () => told.some((text) => /has given the records/.test(text)));
  await waiting.catch(() => bob.client.send(room, "are there?"));
  await until("alice reads", async () => (await texts(alice)).includes("are there?"));
});

test("it does so without a look at checkpoints: those of yesterday are good", async () => {
  const { hostile, alice, bob, room, told } = await attack({ checkpoint: false });
  await using _ = hostile;
  await alice.client.send(room, "there are three of us");
  await until("bob has found out", () => told.length > 0, 20_000);
  await expect(bob.client.send(room, "are there?")).rejects.toMatchObject({
    code: "DIRECTORY_WITHHELD",
  });
});

// Heads must be read, and something must follow from them: one without the other is nothing.
test.each([
  ["heads in messages", { headGossip: false }],
  ["records that are held back", { withheldRecords: false }],
])("control: who does not look at %s goes on by the directory of yesterday", async (_, checks) => {
  const { hostile, alice, bob, room, told } = await attack(checks);
  await using __ = hostile;
  await alice.client.send(room, "there are three of us");
  await until("bob reads", async () => (await texts(bob)).includes("there are three of us"));
  await bob.client.send(room, "are there?");
  await until("alice reads", async () => (await texts(alice)).includes("are there?"));
  expect(bob.client.people.all()).toHaveLength(2);
  expect(told.join("\n")).not.toMatch(/directory/);
});
