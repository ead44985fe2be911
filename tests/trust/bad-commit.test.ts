import { create, toBinary } from "@bufbuild/protobuf";
import { decodeEnvelope } from "@sotto/identity";
import type { PendingCommit } from "@sotto/mls";
import {
  EnvelopeKind,
  fromHex,
  HistoryPolicy,
  RecordKind,
  RoomPolicySchema,
} from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { entries, type Joined, texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { type EnvelopeWords, Insider } from "./harness/insider.ts";
import { keptEpoch, keptGroup } from "./harness/kept-group.ts";
import { notices } from "./harness/notices.ts";

const part = (inline: Uint8Array) => ({ inline, bytes: inline.length });

/** A room of three honest people, and of mallory, who is no admin, has her keys and makes records of her own. */
async function roomOfFour(hostile: HostileWorld, checks: Partial<Checks> = {}) {
  const { world } = hostile;
  const names = ["alice", "bob", "carol"];
  const honest: Joined[] = [];
  for (const name of names) honest.push(await world.person(name, { checks }));
  const mallory = await world.person("mallory");
  for (const { client } of honest)
    await until("all are in", () => client.rooms.members("general").length === 4);
  const { room } = mallory.client.rooms.find("general");
  await mallory.client.send("general", "hello");
  const { user, device } = mallory.client.profile;
  const record = (await hostile.directory()).device(device);
  await mallory[Symbol.asyncDispose]();
  const insider = await Insider.with(mallory.store, record?.recordHash ?? "");
  return { honest, insider, store: mallory.store, room, user };
}

/** It makes somebody the only admin; its record will say that it renews keys. */
function onlyAdmin(user: string): Uint8Array {
  const policy = create(RoomPolicySchema, { admins: [fromHex(user)], history: HistoryPolicy.ALL });
  return toBinary(RoomPolicySchema, policy);
}

async function skippedByAll(
  make: (staged: PendingCommit) => EnvelopeWords,
  follows: boolean,
): Promise<void> {
  await using hostile = await HostileWorld.start();
  const { honest, insider, store, room, user } = await roomOfFour(hostile);
  const [alice] = honest as [Joined];
  const told = honest.map(({ client }) => notices(client));
  const group = await keptGroup(store, room);
  const staged = await group.stagePolicy(onlyAdmin(user));
  const bad = await hostile.write(
    room,
    "h",
    await insider.envelope(await hostile.records(room), {
      kind: EnvelopeKind.UPDATE,
      groupInfo: part(staged.groupInfo),
      tree: part(staged.tree),
      ...make(staged),
    }),
  );
  // And she goes on from there, to draw the others after her.
  if (follows)
    await hostile.write(room, "h", (await insider.rejoin(await hostile.records(room))).data);
  for (const heard of told)
    await until(
      "each says that it was skipped",
      () => heard.some((text) => /skipped/.test(text)),
      30_000,
    );
  await until(
    "a member commits, and names it",
    async () => {
      const handshakes = (await hostile.records(room)).filter(
        ({ kind }) => kind === RecordKind.HANDSHAKE,
      );
      return handshakes.some(({ data }) => decodeEnvelope(data).skipped.includes(BigInt(bad)));
    },
    30_000,
  );
  await until("all are in one epoch", async () => {
    const epochs = await Promise.all(honest.map((person) => keptEpoch(person.store, room)));
    return new Set(epochs).size === 1;
  });
  for (const person of honest) await person.client.send(room, `from ${person.name}`);
  for (const person of honest)
    await until("everybody hears everybody", async () => {
      const heard = await texts(person);
      return honest.every(({ name }) => heard.includes(`from ${name}`));
    });
  const rejoined = (await entries(alice)).flatMap((entry) =>
    entry.type === "membership" && entry.change === "rejoined" ? [entry.by] : [],
  );
  expect(rejoined.filter((by) => by !== user)).toEqual([]);
  expect((await keptGroup(alice.store, room)).policy).toEqual(group.policy);
}

test("a commit that does something else than it says is skipped by everybody alike", () =>
  skippedByAll(({ commit }) => ({ commit: part(commit) }), false));

test("control: where nobody compares a commit with what it says, mallory is the only admin", async () => {
  await using hostile = await HostileWorld.start();
  const { honest, insider, store, room, user } = await roomOfFour(hostile, { commitRules: false });
  const policy = onlyAdmin(user);
  const staged = await (await keptGroup(store, room)).stagePolicy(policy);
  const words = {
    kind: EnvelopeKind.UPDATE,
    commit: part(staged.commit),
    groupInfo: part(staged.groupInfo),
    tree: part(staged.tree),
  };
  await hostile.write(room, "h", await insider.envelope(await hostile.records(room), words));
  for (const person of honest)
    await until("mallory rules", async () =>
      Buffer.from(policy).equals((await keptGroup(person.store, room)).policy),
    );
});

test("a commit that goes on from one that was skipped draws nobody after it", () =>
  skippedByAll(({ commit }) => ({ commit: part(commit) }), true));

test("a commit that cannot be read is skipped by everybody alike", () =>
  skippedByAll(() => ({ commit: part(new Uint8Array([1, 2, 3])) }), false));

test("a commit that was never uploaded is skipped by everybody alike", () =>
  skippedByAll(() => {
    const sha256 = crypto.getRandomValues(new Uint8Array(32));
    return { commit: { inline: new Uint8Array(), sha256, bytes: 40_000 } };
  }, false));
