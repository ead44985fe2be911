import { nodeWebSocketTransport, tlsTransport } from "@sotto/sdk/node";
import { describe, expect, test } from "vitest";
import { entries, texts, until, World } from "./world.ts";

describe.each([
  ["TLS", tlsTransport],
  ["WebSocket", nodeWebSocketTransport],
])("over %s", (_, transport) => {
  test("what one says in a room, everybody hears once and in one order, the speaker included", async () => {
    await using world = await World.start(transport);
    const [alice, bob, carol] = await world.people("alice", "bob", "carol");
    await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const speaker = [alice, bob, carol][i % 3] ?? alice;
        await speaker.client.send("general", `message ${i}`);
      }),
    );
    const everybody = [alice, bob, carol];
    for (const person of everybody) {
      await until(`${person.name} heard all`, async () => (await texts(person)).length === 30);
    }
    const [first, ...others] = await Promise.all(everybody.map((person) => texts(person)));
    expect(new Set(first).size).toBe(30);
    for (const other of others) expect(other).toEqual(first);
  });

  test("two people talk beside the room, also where both begin at once", async () => {
    await using world = await World.start(transport);
    const [alice, bob, carol] = await world.people("alice", "bob", "carol");
    await Promise.all([alice.client.send("@bob", "hi bob"), bob.client.send("@alice", "hi alice")]);
    await until("alice has both", async () => (await texts(alice)).length === 2);
    await until("bob has both", async () => (await texts(bob)).length === 2);
    expect(await texts(bob)).toEqual(await texts(alice));
    expect(await texts(carol)).toEqual([]);
    expect(alice.client.rooms.list().filter(({ direct }) => direct)).toHaveLength(1);
  });
});

test("a room of one's own is made, shared and left", async () => {
  await using world = await World.start();
  const [alice, bob, carol] = await world.people("alice", "bob", "carol");
  const room = await alice.client.rooms.create("plans");
  await alice.client.send("plans", "before bob");
  await alice.client.rooms.add("plans", "bob");
  await bob.client.rooms.waitFor("plans", 5000);
  await alice.client.send("plans", "with bob");
  await until("bob heard", async () => (await texts(bob)).includes("with bob"));
  await until("bob was told", async () => (await texts(bob)).length === 2);
  expect(await texts(bob)).toEqual(["before bob", "with bob"]);
  expect(
    alice.client.rooms
      .members(room.room)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["alice", "bob"]);
  await expect(carol.client.send("plans", "hello?")).rejects.toMatchObject({
    code: "UNKNOWN_ROOM",
  });

  await alice.client.rooms.remove("plans", "bob");
  await alice.client.send("plans", "without bob");
  await until("bob is out", () => bob.client.rooms.find(room.room).phase === "left");
  await until("bob was told", async () => (await texts(bob)).length === 2);
  expect(await texts(bob)).toEqual(["before bob", "with bob"]);
  await expect(bob.client.send(room.room, "still here?")).rejects.toMatchObject({
    code: "NOT_IN_ROOM",
  });
});

test("only an admin removes others", async () => {
  await using world = await World.start();
  const [, bob] = await world.people("alice", "bob", "carol");
  await expect(bob.client.rooms.remove("general", "carol")).rejects.toMatchObject({
    message: /admin/,
  });
});

test("people who share a room see each other come, idle and go, and one-shot clients are not seen", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const seen: string[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const event of alice.client.live(stop.signal)) {
      if (event.type === "presence")
        seen.push(`${alice.client.people.name(event.user)} ${event.state}`);
    }
  })();
  await until("bob is seen", () => seen.includes("bob online"));
  await bob.client.setPresence("idle");
  await until("bob is idle", () => seen.at(-1) === "bob idle");
  await bob[Symbol.asyncDispose]();
  await until("bob is gone", () => seen.at(-1) === "bob offline");
  const quiet = await world.open("bob", bob.store, { quiet: true });
  await quiet.client.send("general", "quietly");
  await until("alice heard", async () => (await texts(alice)).includes("quietly"));
  expect(seen.at(-1)).toBe("bob offline");
  await quiet.client.setQuiet(false);
  await until("bob is back", () => seen.at(-1) === "bob online");
  stop.abort();
  await watching;
});

test("who types is told, and never kept", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const heard = (async () => {
    for await (const event of alice.client.live()) if (event.type === "typing") return event;
    return undefined;
  })();
  await bob.client.typing("general");
  expect(await heard).toMatchObject({ user: bob.client.profile.user, typing: true });
  expect((await entries(alice)).some(({ type }) => (type as string) === "typing")).toBe(false);
});
