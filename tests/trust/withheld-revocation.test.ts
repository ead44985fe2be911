import { RecordKind } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { keptGroup } from "./harness/kept-group.ts";
import { storeMessage } from "./harness/lax-keyserver.ts";
import { notices } from "./harness/notices.ts";
import { secondDevice } from "./harness/second-device.ts";
import { ShownDirectory } from "./harness/shown-directory.ts";
import { textsOpened } from "./harness/spy.ts";
import { type Line, type RequestBody, Wire } from "./harness/wire.ts";

/** A login asks for so many pages of a small directory; what comes after is the gossip's question. */
const pagesAtLogin = 2;

/** Questions about a newer directory than a login reads end the connection, each time. */
function cutsQuestions() {
  const pages = new WeakMap<Line, number>();
  let cuts = 0;
  const isCut = (body: RequestBody, line: Line): boolean => {
    const page = (pages.get(line) ?? 0) + (body.case === "readDirectory" ? 1 : 0);
    pages.set(line, page);
    if (page <= pagesAtLogin && body.case !== "handBackRecords") return false;
    cuts++;
    setTimeout(() => line.close(), 50);
    return true;
  };
  return { isCut, cuts: () => cuts };
}

/**
 * Alice's phone is stolen; she revokes it. The server works with the thief: it hides the revocation from bob, and with
 * it everything after it in the room that they share, so that he goes on sealing for the phone.
 */
async function attack(checks: Partial<Checks>, cutting?: ReturnType<typeof cutsQuestions>) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport: wire, checks });
  const carol = await world.person("carol");
  const phone = await secondDevice(world, alice, "phone");
  const { room } = bob.client.rooms.find("general");
  const plans = await carol.client.rooms.create("plans");
  await carol.client.rooms.add("plans", "bob");
  await bob.client.rooms.waitFor(plans.room, 10_000);
  await until("bob knows the phone", () =>
    bob.client.rooms.members(room).some(({ devices }) => devices === 2),
  );
  await phone[Symbol.asyncDispose]();
  const thief = await keptGroup(phone.store, room);
  const shown = await ShownDirectory.of(await hostile.keys(), await hostile.identityRecords());
  const shows = shown.tampering();
  const told = notices(bob.client);
  let hiding = false;
  let archived = 0;
  wire.tampering = {
    ...shows,
    record: (record) =>
      hiding && Buffer.from(record.room).toString("hex") === room ? [] : undefined,
    request: (body, line) => {
      if (body.case === "appendArchive") archived++;
      if (body.case === "append" && Buffer.from(body.value.room).toString("hex") === room)
        return { answer: storeMessage(hostile, body, bob.client.profile.device) };
      if (hiding && cutting?.isCut(body, line)) return "lost";
      return shows.request?.(body, line);
    },
  };
  hiding = true;
  // So that all of a login is counted.
  if (cutting) wire.cut();
  await alice.client.devices.revoke("phone");
  await until("it is out of the room for carol", () =>
    carol.client.rooms.members(room).every(({ devices }) => devices === 1),
  );
  // With the server's signature, which her next words carry.
  await carol.client.people.refresh();
  return {
    hostile,
    alice,
    bob,
    carol,
    room,
    plans: plans.room,
    thief,
    told,
    archived: () => archived,
  };
}

test("a revocation that the server hides is known by anybody's next word, and nothing more is sealed", async () => {
  const { hostile, bob, carol, room, plans, thief, told, archived } = await attack({});
  await using _ = hostile;
  await carol.client.send(plans, "did you hear of alice's phone?");
  await until("bob is told", () => told.some((text) => /directory/.test(text)), 20_000);
  expect(told.join("\n")).toMatch(
    /holds back records of its key directory.*A device may have been revoked in one of them, so this device sends nothing/s,
  );
  await expect(bob.client.send(room, "for alice alone")).rejects.toMatchObject({
    code: "DIRECTORY_WITHHELD",
    message: expect.stringMatching(/is not kept to be sent later.*send it again then/),
  });
  // As it says: nothing waits to go out by itself.
  expect(await bob.store.scan("outbox", { limit: 1 })).toEqual([]);
  // His own archive gets nothing either: one of his devices may be the one that was revoked.
  const before = archived();
  await carol.client.send(plans, "for the archive");
  await until("bob reads on", async () => (await texts(bob, "plans")).includes("for the archive"));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(archived()).toBe(before);
  expect(await textsOpened(thief, await hostile.records(room))).not.toContain("for alice alone");
});

test("also where the server cuts the connection at each question, after a few of them", async () => {
  const cutting = cutsQuestions();
  const { hostile, bob, carol, room, plans, thief, told } = await attack({}, cutting);
  await using _ = hostile;
  await carol.client.send(plans, "did you hear of alice's phone?");
  await until("bob is told", () => told.some((text) => /directory/.test(text)), 30_000);
  // Other things ask, too.
  expect(cutting.cuts()).toBeGreaterThanOrEqual(3);
  await expect(bob.client.send(room, "for alice alone")).rejects.toMatchObject({
    code: "DIRECTORY_WITHHELD",
  });
  expect(await textsOpened(thief, await hostile.records(room))).not.toContain("for alice alone");
}, 60_000);

test("a connection that breaks at the question, with an honest server, is no alarm", async () => {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport: wire });
  const told = notices(bob.client);
  let breaks = 0;
  // The network loses an event, and then the connection; nothing is altered.
  wire.tampering = {
    event: ({ body }) => (body.case === "directoryGrew" ? [] : undefined),
    request: (body, line) => {
      if (body.case !== "readDirectory" || breaks > 0) return undefined;
      breaks++;
      setTimeout(() => line.close(), 50);
      return "lost";
    },
  };
  const { invite } = await alice.client.invite({ rooms: [] });
  await world.arrive("carol", invite);
  await until("alice knows carol", () => alice.client.people.all().length === 3);
  await alice.client.people.refresh();
  await alice.client.send("general", "carol is here");
  await until("bob knows carol", () => bob.client.people.all().length === 3);
  expect(breaks).toBe(1);
  expect(told).toEqual([]);
  expect(await bob.client.directory.view()).toMatchObject({ state: "good" });
});

// Heads must be read, and something must follow from them: one without the other is nothing.
test.each([
  ["heads in messages", { headGossip: false }],
  ["records that are held back", { withheldRecords: false }],
])("control: who does not look at %s goes on sealing for the thief", async (_, checks) => {
  const { hostile, bob, carol, room, plans, thief, archived } = await attack(checks);
  await using __ = hostile;
  const before = archived();
  await carol.client.send(plans, "did you hear of alice's phone?");
  await until("bob reads", async () => (await texts(bob)).length > 0);
  await until("his archive has it", () => archived() > before);
  bob.client.send(room, "for alice alone").catch(() => {});
  await until("it is stored", async () => {
    const records = await hostile.records(room);
    return records.at(-1)?.kind === RecordKind.MESSAGE;
  });
  expect(await textsOpened(thief, await hostile.records(room))).toContain("for alice alone");
});
