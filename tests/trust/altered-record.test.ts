import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { notices } from "./harness/notices.ts";
import { ShownDirectory } from "./harness/shown-directory.ts";
import { Wire } from "./harness/wire.ts";

/** A record of long ago is another one in the server's store, or the last one is; its checkpoints sign what is there. */
async function attack(index: number, checks: Partial<Checks>) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  await world.people("alice", "carol");
  const bob = await world.person("bob", { transport: wire, checks, random: () => 0 });
  const { room } = bob.client.rooms.find("general");
  const told = notices(bob.client);
  const records = await hostile.identityRecords();
  records[index] = altered(records[index] ?? new Uint8Array());
  const shown = await ShownDirectory.of(await hostile.keys(), records);
  const shows = shown.tampering();
  let logins = 0;
  wire.tampering = {
    ...shows,
    response: (body, asked, line) => {
      if (body.case === "authenticated") logins++;
      return shows.response?.(body, asked, line);
    },
  };
  wire.cut();
  await until("bob has logged in again", () => logins > 0);
  const settled = () =>
    told.length > 0 ||
    bob.client.people
      .refresh()
      .then(() => true)
      .catch(() => false);
  await until("bob has looked", settled);
  return { hostile, bob, room, told };
}

/** The record with another signature. */
function altered(bytes: Uint8Array): Uint8Array {
  const other = bytes.slice();
  const at = other.length - 20;
  other[at] = other[at] === 65 ? 66 : 65;
  return other;
}

test.each([0, 2])(
  "a record that is not what it was is found at the next login (record %i)",
  async (index) => {
    const { hostile, bob, room, told } = await attack(index, {});
    await using _ = hostile;
    await until("bob is told", () => told.length > 0);
    expect(told.join("\n")).toMatch(
      /key directory cannot be trusted any more: (record \d is not the one that this device has seen there|of 3 records)/,
    );
    await expect(bob.client.send(room, "hello?")).rejects.toMatchObject({ code: "DIRECTORY_FORK" });
  },
);

const noLookBack = { oldRecords: false, directoryOverlap: false, checkpoint: false };
const notSeenThere = /record \d is not the one that this device has seen there/;
const signedAnother = /of 3 records it has signed another directory/;

// Each of them would be enough: where one is broken, another one still finds it.
test.each([
  [0, "the look at old records", { ...noLookBack, oldRecords: true }, notSeenThere],
  [0, "the checkpoint", { ...noLookBack, checkpoint: true }, signedAnother],
  [2, "the look at old records", { ...noLookBack, oldRecords: true }, notSeenThere],
  [2, "the overlap of what is read", { ...noLookBack, directoryOverlap: true }, notSeenThere],
  [2, "the checkpoint", { ...noLookBack, checkpoint: true }, signedAnother],
] as const)("record %i is found by %s alone", async (index, _check, checks, words) => {
  const { hostile, bob, room, told } = await attack(index, checks);
  await using _ = hostile;
  await until("bob is told", () => told.length > 0);
  expect(told.join("\n")).toMatch(words);
  await expect(bob.client.send(room, "hello?")).rejects.toMatchObject({ code: "DIRECTORY_FORK" });
});

// The first record is none that is read again with the next ones, so that no overlap shows it.
test.each([
  [0, { ...noLookBack, directoryOverlap: true }],
  [2, noLookBack],
])("control: without looking back nobody notices (record %i)", async (index, checks) => {
  const { hostile, bob, room, told } = await attack(index, checks);
  await using _ = hostile;
  await bob.client.send(room, "hello?");
  expect(told.join("\n")).not.toMatch(/directory/);
});
