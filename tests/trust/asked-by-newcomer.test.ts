import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { openSealed } from "@sotto/mls";
import { fromHex, RecordKind, StoredMessageSchema, toHex } from "@sotto/protocol";
import { type AskAgain, type Content, ContentSchema } from "@sotto/protocol/content";
import { type Checks, loadProfile } from "@sotto/sdk";
import { expect, test } from "vitest";
import { textOf } from "../../clients/sdk/src/bytes.ts";
import { type Joined, texts, until, type World } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { keptGroup } from "./harness/kept-group.ts";

const secret = "of before carol came";

/** The server's data folder as it is now; `putBack` lets it take its place again. */
async function copied(world: World) {
  const copy = join(world.folder, "copy");
  await world.stopServer();
  await cp(world.data, copy, { recursive: true });
  await world.startServer();
  const putBack = async () => {
    await world.stopServer();
    await rm(world.data, { recursive: true });
    await cp(copy, world.data, { recursive: true });
    await world.startServer();
  };
  return { putBack };
}

const stateOf = async ({ store }: Joined, room: string) =>
  JSON.parse(textOf((await store.get("rooms", room)) ?? new Uint8Array()));

const reads = (reader: Joined, text: string) =>
  until(`${reader.name} reads ${text}`, async () => (await texts(reader)).includes(text), 30_000);

/** What was said in messages that were said again to the device of `profile`. */
async function saidAgain(
  hostile: HostileWorld,
  { store }: Joined,
  { room, answering }: { room: string; answering: string },
): Promise<string[]> {
  const profile = await loadProfile(store);
  if (!profile) throw new Error("there is no profile");
  const group = await keptGroup(store, room);
  const said: string[] = [];
  for (const { kind, data } of await hostile.records(room)) {
    if (kind !== RecordKind.MESSAGE) continue;
    const opened = await group
      .open(fromBinary(StoredMessageSchema, data).sealed)
      .catch(() => undefined);
    const body = opened && fromBinary(ContentSchema, opened.plaintext).body;
    if (body?.case !== "again") continue;
    const { id, senderSequence, sealed } = body.value;
    const purpose = ["again", room, toHex(id), senderSequence, answering, profile.device].join(" ");
    const bytes = await openSealed({ privateKey: profile.secrets.seal }, purpose, sealed);
    const again: Content["body"] = fromBinary(ContentSchema, bytes).body;
    if (again.case === "text") said.push(again.value.text);
  }
  return said;
}

/** The client of `asker`, altered, asks for messages of numbers that it guesses. */
async function ask(
  hostile: HostileWorld,
  asker: Joined,
  room: string,
  missed: AskAgain["missed"],
): Promise<void> {
  const own = await stateOf(asker, room);
  const id = crypto.getRandomValues(new Uint8Array(16));
  const content = create(ContentSchema, {
    version: 1,
    id,
    room: fromHex(room),
    senderSequence: BigInt(own.senderSequence + 1),
    previousSha256: fromHex(own.previousSha256),
    body: { case: "askAgain", value: { missed } },
  });
  const group = await keptGroup(asker.store, room);
  await group.resumeAt(own.reserved?.generation ?? 0);
  const aad = fromHex(room + toHex(id));
  const { sealed } = await group.seal(toBinary(ContentSchema, content), aad);
  const device = fromHex(asker.client.profile.device);
  const stored = create(StoredMessageSchema, { device, id, sealed });
  await hostile.write(room, "m", toBinary(StoredMessageSchema, stored));
}

/**
 * Newcomers are to have nothing of what was said before them. Alice says something, perhaps into a log that is then set
 * back: there carol comes in at a place that counts as one before it. She asks alice's device for it.
 */
async function attack(setBack: boolean, checks: Partial<Checks> = {}): Promise<string[]> {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const alice = await world.person("alice", { checks });
  const bob = await world.person("bob");
  await until("both are in", () => alice.client.rooms.members("general").length === 2);
  await alice.client.rooms.setHistory("general", "since-join");
  await alice.client.send("general", "one");
  await reads(bob, "one");
  const { room } = bob.client.rooms.find("general");
  const { putBack } = await copied(world);
  for (let i = 0; i < 10; i++) await alice.client.send("general", `chat ${i}`);
  await alice.client.send("general", secret);
  await reads(bob, secret);
  const { senderSequence } = await stateOf(alice, room);
  if (setBack) {
    await putBack();
    await alice.client.send("general", "after the restore");
    await reads(bob, "after the restore");
  }
  const carol = await world.person("carol");
  await until("carol is in", () => alice.client.rooms.members("general").length === 3);
  await alice.client.send("general", "hi carol");
  await reads(carol, "hi carol");
  expect(await texts(carol)).not.toContain(secret);
  await carol[Symbol.asyncDispose]();
  const answering = alice.client.profile.device;
  const { senderSequence: newest } = await stateOf(alice, room);
  const missed: AskAgain["missed"] = [];
  for (let number = senderSequence; number <= newest; number++)
    missed.push({
      $typeName: "sotto.v1.MissedMessage",
      device: fromHex(answering),
      id: new Uint8Array(),
      sequence: 0n,
      senderSequence: BigInt(number),
    });
  await ask(hostile, carol, room, missed);
  // What she may have comes.
  let said: string[] = [];
  await until("alice has answered", async () => {
    said = await saidAgain(hostile, carol, { room, answering });
    return said.includes("hi carol");
  });
  return said;
}

test.each([
  ["", false],
  [", also where the server's log was set back meanwhile", true],
])("a newcomer who asks is not told again what was said before she came%s", async (_, setBack) => {
  expect(await attack(setBack)).toEqual(["hi carol"]);
});

test("control: a device that does not look at the policy says all of it again", async () => {
  expect(await attack(true, { sayAgain: false })).toContain(secret);
});
