import { parseRoomId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { linked } from "./own-devices.ts";
import { texts, until, World } from "./world.ts";

test("a name that another member took for a second room is never guessed, and invites go on", async () => {
  await using world = await World.start();
  const [alice, mallory, bob] = await world.people("alice", "mallory", "bob");
  const [general] = alice.client.rooms.named("general");
  // One who is in no general any more may make one, and name the owner whom they add.
  await alice.client.rooms.remove("general", "mallory");
  await until("mallory is out", () =>
    mallory.client.rooms.named("general").every(({ phase }) => phase === "left"),
  );
  const second = await mallory.client.rooms.create("general");
  for (const person of [alice, bob]) {
    await mallory.client.rooms.add(second.room, person.name);
    await until(
      "both are known",
      () => person.client.rooms.named("general").filter((r) => r.phase === "active").length === 2,
    );
    await expect(person.client.send("general", "for whom?")).rejects.toMatchObject({
      code: "AMBIGUOUS_ROOM",
      message: expect.stringMatching(
        new RegExp(`\n {2}${second.room.slice(0, 8)} {2}alice(, bob)?, mallory(\n|$)`),
      ),
    });
  }
  await bob.client.send(general?.room.slice(0, 8) ?? "", "for general");
  await until("alice has it", async () => (await texts(alice)).includes("for general"));
  expect(await texts(mallory)).not.toContain("for general");
  // A member's plain invite lets into the owner's room.
  const dave = await world.arrive("dave", (await bob.client.invite()).invite);
  await dave.client.online();
  await until("dave is in", () => dave.client.rooms.list().some((r) => r.phase === "active"));
  expect(dave.client.rooms.list().map(({ room }) => room)).toEqual([general?.room]);
});

test("a room that another client called @alice is not taken for a conversation with her", async () => {
  await using world = await World.start();
  const [, mallory, bob] = await world.people("alice", "mallory", "bob");
  const { room } = await mallory.client.rooms.create("plans");
  await mallory.client.rooms.add(room, "bob");
  const own = await mallory.client.rooms.target(room);
  await own.say({ case: "title", value: { $typeName: "sotto.v1.RoomTitle", title: "@alice" } });
  await until("bob sees it", () => bob.client.rooms.nameOf(parseRoomId(room)) !== "plans");
  expect(bob.client.rooms.nameOf(parseRoomId(room))).toBe("(room) @alice");
  expect(() => bob.client.rooms.find("@alice")).toThrow(/no room called @alice/);
  await bob.client.send("@alice", "between us");
  expect(bob.client.rooms.find("@alice").direct).toBe(true);
  expect(await texts(mallory)).not.toContain("between us");
});

test("a room that was just made has its name, with another device of the person there too", async () => {
  await using world = await World.start();
  const alice = await world.person("alice");
  await linked(world, alice, "phone");
  for (const name of ["one", "two", "three"]) {
    expect(await alice.client.rooms.create(name)).toMatchObject({ name });
    // Nor is it to be made twice.
    await expect(alice.client.rooms.create(name)).rejects.toMatchObject({ code: "ROOM_EXISTS" });
  }
});
