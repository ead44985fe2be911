import { fromBinary } from "@bufbuild/protobuf";
import { RecordKind, type Record as RecordMessage, StoredMessageSchema } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { entries, type Joined, texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { Wire } from "./harness/wire.ts";

async function people(hostile: HostileWorld, checks: Partial<Checks>) {
  const wire = new Wire();
  const alice = await hostile.world.person("alice");
  const bob = await hostile.world.person("bob", { transport: wire, checks });
  await alice.client.send("general", "one");
  await until("bob read one", async () => (await texts(bob)).includes("one"));
  const { room } = bob.client.rooms.find("general");
  // What alice's device tells a newcomer by itself is none of the messages that are meddled with.
  let stored = 0;
  await until("the room is quiet", async () => {
    const before = stored;
    await new Promise((resolve) => setTimeout(resolve, 500));
    stored = (await hostile.records(room)).length;
    return stored === before;
  });
  return { wire, alice, bob, room };
}

const missing = async (person: Joined) =>
  (await entries(person)).filter(({ type }) => type === "messages-missing");

/** Alice says three things; of the second bob gets nothing, and nothing either of what alice is asked for again. */
async function drop(checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const { wire, alice, bob } = await people(hostile, checks);
  let messages = 0;
  wire.tampering = {
    record: ({ kind }) => (kind === RecordKind.MESSAGE && ++messages === 1 ? [] : undefined),
    // Bob's question is acknowledged and thrown away.
    request: (body) => (body.case === "append" ? "lost" : undefined),
  };
  await alice.client.send("general", "two");
  await alice.client.send("general", "three");
  await until("bob read three", async () => (await texts(bob)).includes("three"));
  return { read: await texts(bob), missing: await missing(bob), alice };
}

test("a message that the server drops leaves a line that says so", async () => {
  const { read, missing: told, alice } = await drop({});
  expect(read).toEqual(["one", "three"]);
  expect(told).toMatchObject([{ sender: alice.client.profile.user, count: 1 }]);
});

test("control: without following a sender's chain nobody sees that something is gone", async () => {
  const { read, missing: told } = await drop({ senderChain: false });
  expect(read).toEqual(["one", "three"]);
  expect(told).toEqual([]);
});

/** Carol came after bob. The server drops the first thing that she says, and what bob asks her about it. */
async function dropFirst(checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const { wire, bob, room } = await people(hostile, checks);
  const carol = await hostile.world.person("carol");
  await until("bob knows carol", () => bob.client.rooms.members(room).length === 3);
  let dropped = 0;
  wire.tampering = {
    record: ({ kind, data }) => {
      if (kind !== RecordKind.MESSAGE || dropped > 0) return undefined;
      const { device } = fromBinary(StoredMessageSchema, data);
      if (Buffer.from(device).toString("hex") !== carol.client.profile.device) return undefined;
      dropped++;
      return [];
    },
    request: (body) => (body.case === "append" ? "lost" : undefined),
  };
  await carol.client.send("general", "do not pay him");
  await carol.client.send("general", "have a nice day");
  await until("bob read her", async () => (await texts(bob)).includes("have a nice day"));
  const read = await texts(bob);
  const noticed = await missing(bob);
  wire.tampering = {};
  wire.cut();
  if (checks.senderChain !== false)
    await until("bob has it", async () => (await texts(bob)).includes("do not pay him"));
  return { read, noticed, after: await missing(bob), carol };
}

test("so do the first messages of a device that came later, and it is asked for them", async () => {
  const { read, noticed, after, carol } = await dropFirst({});
  expect(read).toEqual(["one", "have a nice day"]);
  expect(noticed).toMatchObject([{ sender: carol.client.profile.user, count: 1 }]);
  expect(after).toEqual([]);
});

test("control: without following a sender's chain nobody sees that the first are gone", async () => {
  const { read, noticed } = await dropFirst({ senderChain: false });
  expect(read).toEqual(["one", "have a nice day"]);
  expect(noticed).toEqual([]);
});

/** The server holds back alice's "two" until bob has "three". */
async function reorder(checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const { wire, alice, bob } = await people(hostile, checks);
  const passing: RecordMessage[] = [];
  wire.tampering = {
    record: (record) => {
      if (record.kind !== RecordKind.MESSAGE || passing.length > 0) return undefined;
      passing.push(record);
      return [];
    },
    request: (body) => (body.case === "append" ? "lost" : undefined),
  };
  await alice.client.send("general", "two");
  const { sequence } = await alice.client.send("general", "three");
  await until("bob read three", async () => (await texts(bob)).includes("three"));
  const noticed = await missing(bob);
  const [late] = passing;
  if (late)
    for (const line of wire.lines) line.record({ ...late, sequence: BigInt(sequence) + 1n });
  await until("bob read two", async () => (await texts(bob)).includes("two"));
  return { noticed, after: await missing(bob), read: await texts(bob) };
}

test("a message that comes after a later one is missed until it is there, and stands there once", async () => {
  const { noticed, after, read } = await reorder({});
  expect(noticed).toMatchObject([{ count: 1 }]);
  expect(after).toEqual([]);
  expect(read.sort()).toEqual(["one", "three", "two"]);
});

test("control: without following a sender's chain it is not missed", async () => {
  expect((await reorder({ senderChain: false })).noticed).toEqual([]);
});

/**
 * Bob read "pay 100". The server stores the same bytes again. `rewound`: bob's keys are those of before he read it, as
 * if MLS let a message be opened twice.
 */
async function duplicate(rewound: boolean, checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const { alice, bob, room } = await people(hostile, checks);
  const before = await bob.store.get("ratchets", room);
  await alice.client.send("general", "pay 100");
  await until("bob read it", async () => (await texts(bob)).includes("pay 100"));
  await bob[Symbol.asyncDispose]();
  if (rewound) await bob.store.commit([{ table: "ratchets", key: room, value: before }]);
  const stored = (await hostile.records(room)).findLast(({ kind }) => kind === RecordKind.MESSAGE);
  const data = stored?.data ?? new Uint8Array();
  expect(fromBinary(StoredMessageSchema, data).sealed.length).toBeGreaterThan(0);
  await hostile.write(room, "m", data);
  const again = await hostile.world.open("bob", bob.store, { checks });
  await again.client.ready();
  return (await texts(again)).filter((text) => text === "pay 100");
}

test("a message that the server stores twice is shown once", async () => {
  expect(await duplicate(false, {})).toHaveLength(1);
});

test("also where its key would open it a second time", async () => {
  expect(await duplicate(true, {})).toHaveLength(1);
});

test("control: with such keys and without that check it is shown twice", async () => {
  expect(await duplicate(true, { messageOnce: false })).toHaveLength(2);
});
