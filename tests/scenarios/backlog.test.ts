import { systemClock } from "@sotto/clock";
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
