import { expect, test } from "vitest";
import { LastingStore } from "./company.ts";
import { entries, texts, until, World } from "./world.ts";

test("a room says to everybody what newcomers may have, and an admin changes it", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const { room } = await alice.client.rooms.create("plans", "since-join");
  await alice.client.rooms.add("plans", "bob");
  await bob.client.rooms.waitFor("plans", 5000);
  expect(bob.client.rooms.find("plans").history).toBe("since-join");
  expect(bob.client.rooms.find("general").history).toBe("all");

  const sequence = await alice.client.rooms.setHistory("plans", "all");
  for (const person of [alice, bob]) {
    await until(
      `${person.name} sees it`,
      () => person.client.rooms.find("plans").history === "all",
    );
    expect((await entries(person)).filter(({ type }) => type === "policy")).toEqual([
      expect.objectContaining({ room, sequence, history: "all", by: alice.client.profile.user }),
    ]);
  }
  // Nothing to change is no commit.
  expect(await alice.client.rooms.setHistory("plans", "all")).toBe(sequence);
  await expect(bob.client.rooms.setHistory("plans", "none")).rejects.toMatchObject({
    message: /admin/,
  });
});

test("what two people say is not for anybody else, and that does not change", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice", "bob");
  await alice.client.send("@bob", "hi");
  expect(alice.client.rooms.find("@bob").history).toBe("since-join");
  await expect(alice.client.rooms.setHistory("@bob", "all")).rejects.toMatchObject({
    message: /direct/,
  });
});

test("what a device read is in its archive, and is there again where only the keys are left", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.send("general", "hello");
  await bob.client.send("general", "hi");
  await bob.client.send("@alice", "between us");
  await until("bob has all", async () => (await texts(bob)).length === 3);
  await bob.client.archive.flush();
  await bob[Symbol.asyncDispose]();

  const store = new LastingStore();
  const profile = await bob.store.get("meta", "profile");
  await store.commit([{ table: "meta", key: "profile", value: profile }]);
  const again = await world.open("bob", store);
  await again.client.ready();
  expect(await texts(again)).toEqual(["hello", "hi", "between us"]);
  const all = await entries(again);
  expect(all.filter(({ type }) => type === "history-unavailable")).toEqual([]);
  // What is said from here on stands after it, once.
  await until("bob is back", () => again.client.rooms.find("general").phase === "active");
  await alice.client.send("general", "welcome back");
  await until("bob hears", async () => (await texts(again)).includes("welcome back"));
  expect(await texts(again)).toEqual(["hello", "hi", "between us", "welcome back"]);
});
