import { EnvelopeKind, fromHex } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { type Joined, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { type EnvelopeWords, Insider } from "./harness/insider.ts";
import { keptGroup } from "./harness/kept-group.ts";
import { notices } from "./harness/notices.ts";

const part = (inline: Uint8Array) => ({ inline, bytes: inline.length });
const leafOf = ({ client: { profile } }: Joined) => ({
  user: fromHex(profile.user),
  device: fromHex(profile.device),
});

/** Mallory, a member, makes a record that `forge` describes; the server stores it. Answers bob, and what he was told. */
async function attack(
  checks: Partial<Checks>,
  forge: (cast: {
    alice: Joined;
    bob: Joined;
    carol: Joined;
    kept: Awaited<ReturnType<typeof keptGroup>>;
  }) => Promise<EnvelopeWords & { readonly kind: EnvelopeKind }>,
) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const [alice, carol] = await world.people("alice", "carol");
  const bob = await world.person("bob", { checks });
  const mallory = await world.person("mallory");
  for (const { client } of [alice, bob, carol, mallory])
    await until("all are in", () => client.rooms.members("general").length === 4);
  const { room } = bob.client.rooms.find("general");
  await mallory[Symbol.asyncDispose]();
  const known = (await hostile.directory()).device(mallory.client.profile.device);
  const insider = await Insider.with(mallory.store, known?.recordHash ?? "");
  const kept = await keptGroup(mallory.store, room);
  const told = notices(bob.client);
  const words = await forge({ alice, bob, carol, kept });
  await hostile.write(room, "h", await insider.envelope(await hostile.records(room), words));
  await until(
    "bob has acted on it",
    () => told.length > 0 || bob.client.rooms.find(room).phase === "left" || members(bob) < 4,
  );
  return { hostile, bob, carol, room, told };
}

const members = (person: Joined) => person.client.rooms.members("general").length;

/** As if alice, the admin, had removed bob; signed by mallory. */
const inAlicesName = async ({ alice, bob }: { alice: Joined; bob: Joined }) => ({
  kind: EnvelopeKind.REMOVE,
  committer: leafOf(alice),
  removed: [leafOf(bob)],
  commit: part(new Uint8Array([1])),
});

test("a removal that its admin did not sign throws nobody out", async () => {
  const { hostile, bob, room, told } = await attack({}, inAlicesName);
  await using _ = hostile;
  expect(told.join("\n")).toMatch(/not followed: the envelope is not signed by its committer/);
  expect(bob.client.rooms.find(room).phase).toBe("active");
  await bob.client.rooms.renew(room).catch(() => {});
  expect(members(bob)).toBe(4);
});

test("control: without that check bob believes that alice removed him", async () => {
  const { hostile, bob, room } = await attack({ envelopeSignature: false }, inAlicesName);
  await using _ = hostile;
  expect(bob.client.rooms.find(room).phase).toBe("left");
});

/** The envelope says that mallory renews her keys; the commit removes carol. */
const removesInSecret = async ({
  carol,
  kept,
}: {
  carol: Joined;
  kept: Awaited<ReturnType<typeof keptGroup>>;
}) => ({
  kind: EnvelopeKind.UPDATE,
  commit: part((await kept.stageRemove([carol.client.profile.device])).commit),
});

test("a commit that does something else than its envelope says is skipped", async () => {
  const { hostile, bob, told } = await attack({}, removesInSecret);
  await using _ = hostile;
  expect(told.join("\n")).toMatch(/a change that breaks the room's rules was skipped/);
  expect(members(bob)).toBe(4);
});

test("control: without that check somebody who may not removes carol", async () => {
  const { hostile, bob } = await attack({ commitRules: false }, removesInSecret);
  await using _ = hostile;
  expect(members(bob)).toBe(3);
});
