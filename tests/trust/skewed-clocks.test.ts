import { tlsTransport } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { texts, until, World } from "../scenarios/world.ts";
import { suite } from "./config.ts";
import { clockAhead } from "./harness/other-clock.ts";

const second = 1000;
const day = 24 * 3600 * second;

// Just within what a day means: both ends also differ by what a login takes.
test.each([
  ["5 s behind", -5 * second],
  ["5 s ahead", 5 * second],
  ["a day behind", -day + 60 * second],
  ["a day ahead", day - 60 * second],
])(
  "a member whose clock is %s joins, adds, removes, talks and comes back like any other",
  async (_, aheadMs) => {
    await using world = await World.start(tlsTransport, suite);
    const alice = await world.person("alice");
    const skewed = await world.person("bob", { clock: clockAhead(aheadMs) });
    const { room } = skewed.client.rooms.find("general");

    // Let in by somebody whose clock is right, and lets in and takes out others by the wrong one.
    await skewed.client.rooms.create("plans");
    await skewed.client.rooms.add("plans", "alice");
    await alice.client.rooms.waitFor("plans", 20_000);
    const { invite } = await skewed.client.invite();
    const carol = await world.arrive("carol", invite);
    await carol.client.rooms.waitFor("general", 20_000);
    await skewed.client.rooms.add("plans", "carol");
    await carol.client.rooms.waitFor("plans", 20_000);
    await skewed.client.rooms.remove("plans", "carol");

    await skewed.client.send("general", "by my clock");
    await alice.client.send("general", "by mine");
    for (const person of [alice, skewed, carol])
      await until(`${person.name} has both`, async () => (await texts(person)).length === 2);
    for (const person of [alice, skewed, carol])
      expect(await texts(person), person.name).toEqual(["by my clock", "by mine"]);

    await skewed[Symbol.asyncDispose]();
    await skewed.store.commit([{ table: "groups", key: room, value: undefined }]);
    const back = await world.open("bob", skewed.store, { clock: clockAhead(aheadMs) });
    await until("bob is back", () => back.client.rooms.find("general").phase === "active", 20_000);
    await alice.client.send("general", "welcome back");
    await until("bob reads on", async () => (await texts(back)).includes("welcome back"));
  },
);

test("a clock that is days off is told so, in place of trouble that nobody can explain", async () => {
  await using world = await World.start(tlsTransport, suite);
  const alice = await world.person("alice");
  await alice[Symbol.asyncDispose]();
  const wrong = await world.open("alice", alice.store, { clock: clockAhead(-3 * day) });
  await until("she is refused", () => wrong.client.refusal !== undefined);
  expect(wrong.client.refusal?.message).toMatch(/is this machine's clock right\?/);
});

test("control: without that check it goes on, and what it publishes is of another time", async () => {
  await using world = await World.start(tlsTransport, suite);
  const alice = await world.person("alice");
  const bob = await world.person("bob");
  await bob[Symbol.asyncDispose]();
  const options = { clock: clockAhead(-100 * day), checks: { serverPin: false } };
  const wrong = await world.open("bob", bob.store, options);
  await wrong.client.online();
  // Everything anew, by that clock: nobody whose clock is right can use it.
  await bob.store.commit([{ table: "meta", key: "published", value: undefined }]);
  await wrong[Symbol.asyncDispose]();
  const again = await world.open("bob", bob.store, options);
  await again.client.ready();
  await alice.client.rooms.create("plans");
  await expect(alice.client.rooms.add("plans", "bob")).rejects.toThrow(/published no keys/);
});
