import { arrivalProof, createUserRecord, generateEd25519, signerFromSeed } from "@sotto/identity";
import { parseUserId } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { Impostor } from "./harness/impostor.ts";
import { notices } from "./harness/notices.ts";
import { ShownDirectory } from "./harness/shown-directory.ts";
import { Wire } from "./harness/wire.ts";

/** A record by which somebody called `name` arrives, all by the rules, with keys that the server knows. */
async function falseArrival(name: string): Promise<{ impostor: Impostor; record: Uint8Array }> {
  const impostor = await Impostor.of(parseUserId(crypto.getRandomValues(new Uint8Array(16))));
  const invite = await signerFromSeed((await generateEd25519()).seed);
  const { user, device, description } = impostor;
  const { sign, mls } = description;
  const proof = await arrivalProof(invite, { user, device, sign, mls });
  const record = await createUserRecord({
    user,
    name,
    at: Date.now(),
    device: description,
    invite: { key: invite.publicKey, proof },
    signer: impostor.sign,
  });
  return { impostor, record };
}

/**
 * Alice is shown the true directory, in which carol arrives; bob is shown another one of the same size, in which a carol
 * of the server's arrives. Both are signed by the server's own log key.
 */
async function attack(checks: Partial<Checks>) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice", { checks });
  const bob = await world.person("bob", { transport: wire, checks });
  const { room } = bob.client.rooms.find("general");
  const shown = await ShownDirectory.of(await hostile.keys(), await hostile.identityRecords());
  const { impostor, record } = await falseArrival("carol");
  await shown.add(record);
  wire.tampering = shown.tampering();
  const told = { alice: notices(alice.client), bob: notices(bob.client) };
  const { invite } = await alice.client.invite({ rooms: [] });
  await world.arrive("carol", invite);
  await until("alice knows carol", () => alice.client.people.all().length === 3);
  await bob.client.people.refresh();
  expect(bob.client.people.find("carol")).toBe(impostor.user);
  return { hostile, alice, bob, room, told, wire };
}

test("two people who are shown two directories find out by talking, stop, and keep the proof", async () => {
  const { hostile, alice, bob, room, told } = await attack({});
  await using _ = hostile;
  await bob.client.send(room, "hello alice");
  await until("alice has found out", () => told.alice.length > 0);
  expect(told.alice.join("\n")).toMatch(
    /key directory cannot be trusted any more: another member was shown another one: of 3 records there are two/,
  );
  await expect(alice.client.send(room, "hello?")).rejects.toMatchObject({
    code: "DIRECTORY_FORK",
    message: expect.stringMatching(/This device sends nothing.*proof is kept in this profile/s),
  });
  // What was said is readable; a restart forgets nothing.
  expect(await texts(alice)).toContain("hello alice");
  await alice[Symbol.asyncDispose]();
  const again = await hostile.world.open("alice", alice.store);
  await again.client.online();
  await expect(again.client.send(room, "hello?")).rejects.toMatchObject({ code: "DIRECTORY_FORK" });
  await bob[Symbol.asyncDispose]();
});

test("a server that changes its story to one device is found out by that device alone", async () => {
  const { hostile, bob, room, told, wire } = await attack({});
  await using _ = hostile;
  // Bob's connection breaks, and for once he reaches the true directory.
  wire.tampering = {};
  wire.cut();
  await until("bob has found out", () => told.bob.length > 0);
  expect(told.bob.join("\n")).toMatch(/record 2 is not the one that this device has seen there/);
  await expect(bob.client.send(room, "hello?")).rejects.toMatchObject({ code: "DIRECTORY_FORK" });
});

test("control: without comparing heads nobody notices, and both go on", async () => {
  const { hostile, alice, bob, room, told } = await attack({ headGossip: false });
  await using _ = hostile;
  await bob.client.send(room, "hello alice");
  await until("alice reads", async () => (await texts(alice)).includes("hello alice"));
  await alice.client.send(room, "hello bob");
  await until("bob reads", async () => (await texts(bob)).includes("hello bob"));
  expect([...told.alice, ...told.bob].join("\n")).not.toMatch(/directory/);
});
