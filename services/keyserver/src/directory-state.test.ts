import { ErrorCode } from "@sotto/protocol";
import { expect, test } from "vitest";
import { keyserverWorld, refusedWith, withMethods } from "../test/keyserver-world.ts";

test("a store that lost acknowledged records is not answered from, and takes no more", async () => {
  const world = await keyserverWorld();
  let setBack = false;
  const store = withMethods(world.store, {
    read: (from, limit) => (setBack ? Promise.resolve([]) : world.store.read(from, limit)),
  });
  const server = await world.start({ store });
  const alice = await world.owner(server);
  const invite = await world.invite(server, alice);
  expect(server.service.ready()).toBe(true);
  setBack = true;
  await expect(world.arrive(server, "bob", invite)).rejects.toMatchObject(
    refusedWith(ErrorCode.INTERNAL),
  );
  expect(server.service.ready()).toBe(false);
  expect(await world.store.size()).toBe(1);
});
