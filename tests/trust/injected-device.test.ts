import { create } from "@bufbuild/protobuf";
import { EventSchema } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { Impostor } from "./harness/impostor.ts";
import { letsIn } from "./harness/lets-in.ts";
import { notices } from "./harness/notices.ts";
import { ShownDirectory } from "./harness/shown-directory.ts";
import { textsSpied } from "./harness/spy.ts";
import { Wire } from "./harness/wire.ts";

/**
 * The server puts a device of its own into alice's chain, and shows everybody the directory with it. Devices of members
 * are let into rooms without anybody being asked. Answers what the server reads, and what bob was told.
 */
async function attack(checks: Partial<Checks>) {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice", { transport: wire, checks });
  const bob = await world.person("bob", { transport: wire, checks });
  const told = notices(bob.client);
  const { room } = bob.client.rooms.find("general");
  await until("both are in", () => alice.client.rooms.members(room).length === 2);

  const directory = await hostile.directory();
  const impostor = await Impostor.of(alice.client.profile.user);
  const owner = directory.user(alice.client.profile.user);
  if (!owner) throw new Error("alice is not in the directory");
  const record = await impostor.record(owner);
  const shown = await ShownDirectory.of(await hostile.keys(), await hostile.identityRecords());
  await shown.add(record);
  const keyPackage = await impostor.keyPackage(record);
  wire.tampering = letsIn(impostor, keyPackage, shown, hostile);
  const grew = create(EventSchema, {
    body: { case: "directoryGrew", value: { size: BigInt(shown.size) } },
  });
  for (const line of wire.lines) line.event(grew);
  const inRoom = () =>
    bob.client.rooms.members(room).some(({ devices }) => devices > 1) || told.length > 0;
  await until("bob has acted on it", inRoom);
  const sent = await bob.client.send(room, "alice, only you shall read this").then(
    () => undefined,
    (error: Error & { code: string }) => error,
  );
  // For himself he says it like anything else.
  if (!sent) await until("bob has what he said", async () => (await texts(bob)).length === 1);
  return { read: await textsSpied(impostor, await hostile.records(room)), told, sent };
}

test("a device that none of its person's devices signed is none: nothing is sent, and bob is told why", async () => {
  const { read, told, sent } = await attack({});
  expect(read).toEqual([]);
  expect(told.join("\n")).toMatch(
    /key directory cannot be trusted any more: record \d+ breaks the rules/,
  );
  expect(sent).toMatchObject({ code: "DIRECTORY_FORK" });
});

test("control: without the directory's rules the device is let in by itself, and the server reads", async () => {
  const { read } = await attack({ directoryRules: false });
  expect(read).toEqual(["alice, only you shall read this"]);
});
