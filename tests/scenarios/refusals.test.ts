import { ErrorCode } from "@sotto/protocol";
import { join as joinServer, MemoryStore } from "@sotto/sdk";
import { expect, test } from "vitest";
import { until, World } from "./world.ts";

test("an invite is good for as many people as it says, and until it expires", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const join = (invite: string, name: string) =>
    joinServer({
      invite,
      name,
      store: new MemoryStore(),
      transport: world.transport,
      suite: "classical",
    });
  const { invite } = await alice.client.invite({ uses: 2 });
  await join(invite, "bob");
  await join(invite, "carol");
  await expect(join(invite, "dave")).rejects.toMatchObject({ code: ErrorCode.INVITE_USED });
  const short = await alice.client.invite({ expiresInMs: 1 });
  await until("it expired", () => Date.now() > short.expiresAt + 5);
  await expect(join(short.invite, "erin")).rejects.toMatchObject({
    code: ErrorCode.INVITE_EXPIRED,
  });
  const forged = invite.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
  await expect(join(forged, "mallory")).rejects.toBeInstanceOf(Error);
});

test("who says nothing of the suite is sealed for by X-Wing; what an invite says of it counts", async () => {
  for (const suite of ["x-wing", "classical"] as const) {
    await using world = await World.start();
    const { transport } = world;
    const store = new MemoryStore();
    const owner = await joinServer({
      ...{ invite: world.ownerInvite, name: "alice", store, transport },
      ...(suite === "classical" ? { suite } : {}),
    });
    expect(owner.suite).toBe(suite);
    const alice = await world.open("alice", store);
    await alice.client.rooms.waitFor("general", 10_000);
    const { invite } = await alice.client.invite();
    const bob = await joinServer({ invite, name: "bob", store: new MemoryStore(), transport });
    expect(bob.suite).toBe(suite);
  }
});

test("a name belongs to one person for ever, however it is written", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const { invite } = await alice.client.invite({ uses: 5 });
  const join = (name: string) =>
    joinServer({
      invite,
      name,
      store: new MemoryStore(),
      transport: world.transport,
      suite: "classical",
    });
  for (const name of ["alice", "ALICE", "ａlice"]) {
    await expect(join(name)).rejects.toMatchObject({ code: ErrorCode.NAME_TAKEN });
  }
  for (const name of ["", "two words", "-dash", "a".repeat(33), "ümlaut"]) {
    await expect(join(name)).rejects.toMatchObject({ code: ErrorCode.NAME_INVALID });
  }
});

test("a server that is not the invite's is refused before anything is told to it", async () => {
  await using one = await World.start();
  await using other = await World.start();
  const address = new URL(other.ownerInvite.replace("sotto:", "https:")).host;
  const invite = one.ownerInvite.replace(
    new URL(one.ownerInvite.replace("sotto:", "https:")).host,
    address,
  );
  const attempt = joinServer({
    invite,
    name: "alice",
    store: new MemoryStore(),
    transport: one.transport,
    suite: "classical",
  });
  await expect(attempt).rejects.toMatchObject({ code: "WRONG_SERVER" });
  expect(other.server.announced.ownerInvite).toBeDefined();
});

test("a profile is for one person, and a text that is no invite says what is wrong", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const base = { name: "bob", transport: world.transport, suite: "classical" } as const;
  await expect(
    joinServer({ ...base, invite: world.ownerInvite, store: alice.store }),
  ).rejects.toMatchObject({ code: "PROFILE_EXISTS" });
  for (const invite of ["", "hello", "https://example.org/", "sotto://127.0.0.1:1/#AQ"]) {
    await expect(joinServer({ ...base, invite, store: new MemoryStore() })).rejects.toMatchObject({
      code: "BAD_INVITE",
    });
  }
});
