import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { texts, until, World } from "./world.ts";

test("a room that an older copy of the server does not have is not said to have been left", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const copy = join(world.folder, "copy");
  await world.stopServer();
  await cp(world.data, copy, { recursive: true });
  await world.startServer();
  await alice.client.rooms.create("late");
  await alice.client.rooms.add("late", "bob");
  await alice.client.send("late", "before it was lost");
  await until("bob reads", async () => (await texts(bob)).includes("before it was lost"));
  await alice.client.rooms.remove("general", "bob");
  await until("bob is out", () => bob.client.rooms.find("general").phase === "left");
  // A member's record took bob out: that is what is said of it.
  await expect(bob.client.send("general", "still here?")).rejects.toMatchObject({
    code: "NOT_IN_ROOM",
    message: "this device was removed from the room; nothing was sent",
  });
  expect(bob.client.rooms.find("general")).toMatchObject({ unknownToServer: false });

  await world.stopServer();
  await rm(world.data, { recursive: true });
  await cp(copy, world.data, { recursive: true });
  await world.startServer();
  for (const { client } of [alice, bob]) {
    await until("it is out", () => client.rooms.find("late").phase === "left", 30_000);
    await expect(client.send("late", "anybody?")).rejects.toMatchObject({
      code: "NOT_IN_ROOM",
      message: expect.stringMatching(/the server does not know .* make a new one/),
    });
    expect(client.rooms.find("late")).toMatchObject({ unknownToServer: true });
  }
  expect(await alice.client.rooms.create("late")).toMatchObject({ name: "late" });
});
