import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { texts, until } from "../scenarios/world.ts";
import { alteredMls } from "./harness/altered-mls.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { Insider } from "./harness/insider.ts";
import { keptGroup } from "./harness/kept-group.ts";
import { notices } from "./harness/notices.ts";
import { textsOpened } from "./harness/spy.ts";
import { Wire } from "./harness/wire.ts";

/** Carol is removed, keeps all that she had, gets all that was sent, and heeds nothing. Answers what she reads. */
async function afterRemoval(
  library: Parameters<typeof alteredMls>[0],
): Promise<string | undefined> {
  const mls = await alteredMls(library);
  const suite = await mls.getCiphersuiteImpl(
    mls.getCiphersuiteFromName("MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"),
  );
  const make = (name: string) =>
    mls.generateKeyPackage(
      { credentialType: "basic", identity: new TextEncoder().encode(name) },
      mls.defaultCapabilities(),
      mls.defaultLifetime,
      [],
      suite,
    );
  const [alice, carol, bob] = await Promise.all(["alice", "carol", "bob"].map(make));
  if (!alice || !bob || !carol) throw new Error("nobody came");
  const begun = await mls.createGroup(
    new TextEncoder().encode("room"),
    alice.publicPackage,
    alice.privatePackage,
    [],
    suite,
  );
  const added = await mls.createCommit(
    { state: begun, cipherSuite: suite },
    {
      extraProposals: [carol, bob].map(({ publicPackage }) => ({
        proposalType: "add" as const,
        add: { keyPackage: publicPackage },
      })),
      ratchetTreeExtension: true,
      wireAsPublicMessage: true,
    },
  );
  if (!added.welcome) throw new Error("nobody was let in");
  const carols = await mls.joinGroup(
    added.welcome,
    carol.publicPackage,
    carol.privatePackage,
    mls.emptyPskIndex,
    suite,
  );
  const removed = await mls.createCommit(
    { state: added.newState, cipherSuite: suite },
    {
      extraProposals: [{ proposalType: "remove", remove: { removed: 1 } }],
      wireAsPublicMessage: true,
    },
  );
  const secret = await mls.createApplicationMessage(
    removed.newState,
    new TextEncoder().encode("now that carol is gone"),
    suite,
  );
  try {
    if (removed.commit.wireformat !== "mls_public_message") throw new Error("not a public commit");
    const { newState } = await mls.processPublicMessage(
      carols,
      removed.commit.publicMessage,
      mls.emptyPskIndex,
      suite,
    );
    const read = await mls.processPrivateMessage(
      newState,
      secret.privateMessage,
      mls.emptyPskIndex,
      suite,
    );
    return read.kind === "applicationMessage" ? new TextDecoder().decode(read.message) : undefined;
  } catch {
    return undefined;
  }
}

test("who was removed derives no keys of what follows, whatever they do with what they had", async () => {
  expect(await afterRemoval({ pathless: false })).toBeUndefined();
});

test("control: with a removal that brings no new keys, as the library made it once, she reads on", async () => {
  expect(await afterRemoval({ pathless: true })).toBe("now that carol is gone");
});

/** Carol is removed from a room. She kept her whole store, and the server gives her whatever it has of the room. */
async function removed(checks: Partial<Checks> = {}) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const alice = await world.person("alice", { checks });
  const bob = await world.person("bob", { checks });
  const carol = await world.person("carol");
  const { room } = alice.client.rooms.find("general");
  await alice.client.send(room, "while carol was here");
  await until("carol has read", async () => (await texts(carol)).length === 1);
  await carol[Symbol.asyncDispose]();
  const kept = await keptGroup(carol.store, room);
  const known = (await hostile.directory()).device(carol.client.profile.device);
  const insider = await Insider.with(carol.store, known?.recordHash ?? "");
  const told = notices(bob.client);
  await alice.client.rooms.remove(room, "carol");
  await until("bob knows", () => bob.client.rooms.members(room).length === 2);
  return { hostile, alice, bob, room, kept, insider, told };
}

test("with all that the server stores she opens nothing that was said after she was removed", async () => {
  const { hostile, alice, bob, room, kept } = await removed();
  await using _ = hostile;
  await alice.client.send(room, "now that carol is gone");
  await until("bob has read", async () => (await texts(bob)).includes("now that carol is gone"));
  expect(await textsOpened(kept, await hostile.records(room))).toEqual([]);
});

/** She brings herself back by an external commit, which the server stores against its own rules. */
async function comesBack(checks: Partial<Checks>) {
  const { hostile, bob, alice, room, insider, told } = await removed(checks);
  await using _ = hostile;
  const { data, group } = await insider.rejoin(await hostile.records(room));
  const sequence = await hostile.write(room, "h", data);
  await until("both have the record", async () => {
    const stored = await Promise.all([alice, bob].map(({ store }) => store.get("rooms", room)));
    return stored.every(
      (bytes) => JSON.parse(Buffer.from(bytes ?? "{}").toString()).cursor >= sequence,
    );
  });
  const before = (await hostile.records(room)).length;
  await bob.client.send(room, "now that carol is gone");
  const records = await hostile.records(room);
  expect(records.length).toBeGreaterThan(before);
  return { read: await textsOpened(group, records), told };
}

test("a server that stores her return all the same helps her nothing: nobody follows it", async () => {
  const { read, told } = await comesBack({});
  expect(read).toEqual([]);
  expect(told.join("\n")).toMatch(
    /breaks its rules was not followed: its committer is not in the room/,
  );
});

test("control: without that check they let her in again, and she reads", async () => {
  const { read } = await comesBack({ envelopeRules: false });
  expect(read).toEqual(["now that carol is gone"]);
});

/**
 * Carol came by an invite, and was removed. Dave comes later; the server gives him her invite's grant, and a roster in
 * which nobody was ever removed, so that his device lets her in as somebody who has just arrived.
 */
async function letInAgain(checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const alice = await world.person("alice");
  const carol = await world.person("carol");
  await alice.client.rooms.remove("general", "carol");
  await until("carol is out", () => carol.client.rooms.find("general").phase === "left");
  const wire = new Wire({
    response: (body) =>
      body.case === "roster" ? { case: "roster", value: { ...body.value, former: [] } } : undefined,
  });
  const dave = await world.person("dave", { transport: wire, checks, random: () => 0 });
  const { room } = dave.client.rooms.find("general");
  // Somebody else arrives: dave's device looks who is waiting, and lets in whom it finds.
  await alice[Symbol.asyncDispose]();
  const { invite } = await dave.client.invite();
  const erin = await world.arrive("erin", invite);
  await erin.client.rooms.waitFor("general", 10_000);
  return dave.client.rooms.members(room).map(({ name }) => name);
}

test("who was removed is let in by no newcomer whom the server tells that nobody was", async () => {
  expect((await letInAgain({})).sort()).toEqual(["alice", "dave", "erin"]);
});

test("control: without that check she is let in by herself having arrived once", async () => {
  expect((await letInAgain({ formerMembers: false })).sort()).toEqual([
    "alice",
    "carol",
    "dave",
    "erin",
  ]);
});

test("who was removed while another device was about to let them in stays out", async () => {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const alice = await world.person("alice");
  // Bob's device leaves it to others for as long as it ever does.
  const bob = await world.person("bob", { random: () => 0.999 });
  const carol = await world.person("carol");
  await alice.client.rooms.remove("general", "carol");
  const { room } = bob.client.rooms.find("general");
  await until("bob knows", () => bob.client.rooms.members(room).length === 2);
  // Longer than its patience: what bob's device had in mind is decided by now.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(bob.client.rooms.members(room).map(({ name }) => name)).toEqual(["alice", "bob"]);
  expect(carol.client.rooms.find(room).phase).toBe("left");
});
