import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { RecordKind, StoredMessageSchema, toHex } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { type Joined, texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { notices } from "./harness/notices.ts";
import { Wire } from "./harness/wire.ts";

async function rooms(hostile: HostileWorld, checks: Partial<Checks> = {}) {
  const { world } = hostile;
  const alice = await world.person("alice");
  const bob = await world.person("bob", { checks });
  const one = await alice.client.rooms.create("one");
  const other = await alice.client.rooms.create("other");
  for (const { room } of [one, other]) {
    await alice.client.rooms.add(room, "bob");
    await bob.client.rooms.waitFor(room, 10_000);
  }
  return { alice, bob, one: one.room, other: other.room };
}

/** The stored form of the message `text` of alice, as the server finds it: the last of the room. */
async function lastMessage(hostile: HostileWorld, room: string) {
  const records = await hostile.records(room);
  const found = records.findLast(({ kind }) => kind === RecordKind.MESSAGE);
  return fromBinary(StoredMessageSchema, found?.data ?? new Uint8Array());
}

async function said(person: Joined, room: string, text: string): Promise<void> {
  await until(`${text} is read`, async () => (await texts(person)).includes(text));
  await until("all is through", () => person.client.rooms.find(room).phase === "active");
}

test("a message of one room opens in no other, and the place where it stands is told as unreadable", async () => {
  await using hostile = await HostileWorld.start();
  const { alice, bob, one, other } = await rooms(hostile);
  await alice.client.send(one, "yes, do it");
  await said(bob, one, "yes, do it");
  const stolen = await lastMessage(hostile, one);
  await hostile.write(other, "m", toBinary(StoredMessageSchema, stolen));
  await alice.client.send(other, "after");
  await said(bob, other, "after");
  const heard: string[] = [];
  let unavailable = 0;
  for await (const entry of bob.client.history()) {
    if (entry.room !== other) continue;
    if (entry.type === "message") heard.push(entry.text);
    if (entry.type === "history-unavailable") unavailable++;
  }
  expect(heard).toEqual(["after"]);
  expect(unavailable).toBe(1);
});

/** Bob is in both rooms with one and the same group, as if keys told rooms apart no more; then the server replays. */
async function replayWithSharedKeys(checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const { alice, bob, one, other } = await rooms(hostile, checks);
  await bob[Symbol.asyncDispose]();
  for (const table of ["groups", "ratchets"] as const) {
    const value = await bob.store.get(table, one);
    await bob.store.commit([{ table, key: other, value }]);
  }
  await alice.client.send(one, "yes, do it");
  const stolen = await lastMessage(hostile, one);
  await hostile.write(other, "m", toBinary(StoredMessageSchema, stolen));
  const again = await hostile.world.open("bob", bob.store, { checks });
  const told = notices(again.client);
  await again.client.ready();
  const heard: string[] = [];
  for await (const entry of again.client.history())
    if (entry.room === other && entry.type === "message") heard.push(entry.text);
  return { heard, told };
}

test("also where the keys would open it, a message says itself where it belongs", async () => {
  const { heard, told } = await replayWithSharedKeys({});
  expect(heard).toEqual([]);
  expect(told.join("\n")).toMatch(/a message was not what its sender sealed; it is not shown/);
});

test("control: without that check it is shown in the wrong room", async () => {
  const { heard } = await replayWithSharedKeys({ contentPlace: false });
  expect(heard).toEqual(["yes, do it"]);
});

/** The server gives alice's message another id and another device as it passes; answers the devices that bob's history names. */
async function misattributed(checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const wire = new Wire();
  const alice = await hostile.world.person("alice");
  const bob = await hostile.world.person("bob", { transport: wire, checks });
  const told = notices(bob.client);
  const device = crypto.getRandomValues(new Uint8Array(16));
  wire.tampering = {
    record: (record) => {
      if (record.kind !== RecordKind.MESSAGE) return undefined;
      const stored = { ...fromBinary(StoredMessageSchema, record.data), device };
      return [{ ...record, data: toBinary(StoredMessageSchema, stored) }];
    },
  };
  await alice.client.send("general", "I resign");
  const named: (string | undefined)[] = [];
  await until("bob's client has taken it", async () => {
    for await (const entry of bob.client.history())
      if (entry.type === "message") named.push(entry.device);
    return named.length > 0 || told.length > 0;
  });
  return { named, told, device: toHex(device) };
}

test("a message under another device than the one that sealed it is not shown", async () => {
  const { named, told } = await misattributed({});
  expect(named).toEqual([]);
  expect(told.join("\n")).toMatch(/a message was not what its sender sealed; it is not shown/);
});

test("control: without that check it stands there as another device's", async () => {
  const { named, device } = await misattributed({ contentPlace: false });
  expect(named).toEqual([device]);
});
