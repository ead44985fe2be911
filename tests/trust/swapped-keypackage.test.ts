import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { HostileWorld } from "./harness/hostile-world.ts";
import { Impostor } from "./harness/impostor.ts";
import { notices } from "./harness/notices.ts";
import { textsSpied } from "./harness/spy.ts";
import { Wire } from "./harness/wire.ts";

/**
 * Alice adds bob to a room. The server hands her a KeyPackage that names bob's device and holds a key of its own.
 * Answers what the server reads of the room, and what alice was told.
 */
async function attack(checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice", { transport: wire, checks });
  const bob = await world.person("bob");
  const told = notices(alice.client);
  const { user, device } = bob.client.profile;
  const impostor = await Impostor.of(user, device);
  const known = (await hostile.directory()).device(device);
  const keyPackage = await impostor.keyPackage(known?.recordHash ?? "");
  wire.tampering = {
    response: (body) =>
      body.case === "keyPackageList"
        ? {
            case: "keyPackageList",
            value: {
              ...body.value,
              packages: body.value.packages.map((given) => ({ ...given, keyPackage })),
            },
          }
        : undefined,
  };
  const room = await alice.client.rooms.create("plans");
  const added = alice.client.rooms.add("plans", "bob");
  const refusal = await added.then(
    () => undefined,
    (error: Error) => error,
  );
  await alice.client.send("plans", "the secret plan");
  return { read: await textsSpied(impostor, await hostile.records(room.room)), told, refusal };
}

test("a KeyPackage with a key that the directory does not certify lets nobody in, and is told", async () => {
  const { read, told, refusal } = await attack({});
  expect(refusal?.message).toMatch(/bob has published no keys/);
  expect(told.join("\n")).toMatch(/handed out keys that are not those of the device/);
  expect(read).toEqual([]);
});

test("control: without that check the server reads the room as bob", async () => {
  const { read } = await attack({ keyPackage: false, leafJudged: false });
  expect(read).toEqual(["the secret plan"]);
});
