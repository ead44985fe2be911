import { systemClock } from "@sotto/clock";
import type { ProfileStore } from "@sotto/sdk";
import { expect, test } from "vitest";
import { texts, until, World } from "./world.ts";

const messages = 2400;
const inFlight = 128;

test("a device that was away for more than it takes in at once has everything, in order", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await bob[Symbol.asyncDispose]();
  let next = 0;
  const sender = async () => {
    while (next < messages) await alice.client.send("general", `${next++}`);
  };
  await Promise.all(Array.from({ length: inFlight }, sender));
  // A machine so slow that records come sooner than they are opened.
  const clock = {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms === 0 ? 200 : ms, signal),
  };
  const back = await world.open("bob", bob.store, { clock });
  await until("bob has everything", async () => (await texts(back)).length >= messages, 60_000);
  expect(await texts(back)).toEqual(await texts(alice));
}, 120_000);

test("messages sent at once go into the outbox in few commits, and into the room in their order", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  await alice.client.rooms.waitFor("general", 10_000);
  await alice[Symbol.asyncDispose]();
  const { store } = alice;
  let commits = 0;
  const counted: ProfileStore = {
    get: (table, key) => store.get(table, key),
    scan: (table, range) => store.scan(table, range),
    commit: async (changes) => {
      if (changes.some(({ table, value }) => table === "outbox" && value)) commits++;
      await store.commit(changes);
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
  const again = await world.open("alice", counted);
  const said = Array.from({ length: 500 }, (_, i) => `${i}`);
  const sent = await Promise.all(said.map((text) => again.client.send("general", text)));
  expect(commits).toBeLessThan(20);
  const sequences = sent.map(({ sequence }) => sequence);
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  await until("alice has all of them", async () => (await texts(again)).length >= said.length);
  expect(await texts(again)).toEqual(said);
}, 60_000);
