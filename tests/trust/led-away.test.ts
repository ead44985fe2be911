import { create, toBinary } from "@bufbuild/protobuf";
import { signerFromSeed } from "@sotto/identity";
import { createMls } from "@sotto/mls";
import {
  EnvelopeKind,
  fromHex,
  HistoryPolicy,
  RecordKind,
  RoomPolicySchema,
} from "@sotto/protocol";
import { type Checks, loadProfile } from "@sotto/sdk";
import { expect, test } from "vitest";
import { entries, type Joined, texts, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { type EnvelopeWords, Insider } from "./harness/insider.ts";
import { notices } from "./harness/notices.ts";
import { type Tampering, Wire } from "./harness/wire.ts";

const part = (inline: Uint8Array) => ({ inline, bytes: inline.length });

const believing = { recordsBefore: false, groupInfo: false } satisfies Partial<Checks>;

const reads = (person: Joined, text: string, withinMs?: number) =>
  until(`${person.name} reads ${text}`, async () => (await texts(person)).includes(text), withinMs);

async function insiderOf(hostile: HostileWorld, { client, store }: Joined): Promise<Insider> {
  const known = (await hostile.directory()).device(client.profile.device);
  return await Insider.with(store, known?.recordHash ?? "");
}

/**
 * Mallory, a member and no admin, and the server: a record of hers names one before it that bob was not given and that
 * nobody made, and a group of her own, of which she is the admin, and alice no member.
 */
async function leadAway(checks: Partial<Checks>) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const alice = await world.person("alice");
  const bob = await world.person("bob", { checks });
  const mallory = await world.person("mallory");
  for (const { client } of [alice, bob, mallory])
    await until("all are in", () => client.rooms.members("general").length === 3);
  const { room } = bob.client.rooms.find("general");
  for (const person of [mallory, alice]) await person[Symbol.asyncDispose]();
  const told = notices(bob.client);
  const profile = await loadProfile(mallory.store);
  if (!profile) throw new Error("mallory has no profile");
  const { user, device, secrets, suite } = profile;
  const { recordHash = "" } = (await hostile.directory()).device(device) ?? {};
  const { publicKey } = await signerFromSeed(secrets.mls);
  const own = await createMls({ suite, now: Date.now }).createGroup({
    room: fromHex(room),
    identity: { user, device, recordHash: fromHex(recordHash) },
    signatureKey: { publicKey, privateKey: secrets.mls },
    policy: toBinary(
      RoomPolicySchema,
      create(RoomPolicySchema, { admins: [fromHex(user)], history: HistoryPolicy.ALL }),
    ),
  });
  while (own.epoch < 6) await own.confirm((await own.stageUpdate()).serialise());
  const insider = await insiderOf(hostile, mallory);
  const record = await insider.envelope(await hostile.records(room), {
    kind: EnvelopeKind.UPDATE,
    previousSequence: 900n,
    epoch: BigInt(own.epoch),
    groupInfo: part(await own.groupInfo()),
    tree: part(await own.tree()),
  });
  await hostile.write(room, "h", record);
  return { hostile, alice, bob, room, told };
}

test("a member leads nobody into a group of her own by naming a record that nobody made", async () => {
  const { hostile, alice, bob, room, told } = await leadAway({});
  await using _ = hostile;
  await until("bob is told", () => /rules was not followed/.test(told.join()), 30_000);
  expect(bob.client.rooms.members(room)).toHaveLength(3);
  const back = await hostile.world.open("alice", alice.store);
  await back.client.send(room, "are you there?");
  await reads(bob, "are you there?");
  await bob.client.send(room, "here");
  await reads(back, "here");
  expect(told.join()).not.toMatch(/came back by itself/);
});

test("control: who believes it comes back among hers, and the owner is gone", async () => {
  const { hostile, bob, room } = await leadAway(believing);
  await using _ = hostile;
  await until("bob has gone along", () => bob.client.rooms.members(room).length === 2, 30_000);
  const members = bob.client.rooms.members(room).map(({ name, admin }) => ({ name, admin }));
  expect(members).toContainEqual({ name: "mallory", admin: true });
  expect(members.map(({ name }) => name).sort()).toEqual(["bob", "mallory"]);
});

/** Carol has an account, and is in no room. The server stores a handshake record of hers, then an honest one is back. */
async function fromOutside(hostile: HostileWorld, words: EnvelopeWords, checks: Partial<Checks>) {
  const { world } = hostile;
  const alice = await world.person("alice", { checks });
  const bob = await world.person("bob", { checks });
  await until("both are in", () => alice.client.rooms.members("general").length === 2);
  const { invite } = await alice.client.invite({ rooms: [] });
  const carol = await world.arrive("carol", invite);
  await carol.client.online();
  await carol[Symbol.asyncDispose]();
  const { room } = bob.client.rooms.find("general");
  const outsider = await insiderOf(hostile, carol);
  const record = { kind: EnvelopeKind.UPDATE, directorySize: 3n, ...words };
  const junk = await outsider.envelope(await hostile.records(room), record);
  return { alice, bob, room, junk };
}

const restart = async ({ world }: HostileWorld) => {
  await world.stopServer();
  await world.startServer();
};

test.each([
  ["a record that nobody made", { previousSequence: 900n }],
  ["a number that is none", { previousSequence: 2n ** 63n }],
  ["the last one, by another hash", { previousSha256: new Uint8Array(32) }],
])("who is in no room ends none by a record that names %s before it", async (_, words) => {
  await using hostile = await HostileWorld.start();
  const { alice, bob, room, junk } = await fromOutside(hostile, words, {});
  await hostile.write(room, "h", crypto.getRandomValues(new Uint8Array(80)));
  await hostile.write(room, "h", junk);
  await restart(hostile);
  await alice.client.send(room, "hello?");
  await reads(bob, "hello?");
  await bob.client.send(room, "yes");
  await reads(alice, "yes");
});

test("control: where such a record is believed, nobody says anything in that room any more", async () => {
  await using hostile = await HostileWorld.start();
  const made = await fromOutside(hostile, { previousSequence: 900n }, believing);
  const { alice, bob, room, junk } = made;
  await hostile.write(room, "h", junk);
  await restart(hostile);
  for (const { client } of [alice, bob])
    await until("both are out", () => client.rooms.find(room).phase === "lost");
  alice.client.send(room, "hello?").catch(() => {});
  await expect(reads(bob, "hello?", 5_000)).rejects.toThrow();
});

test("a device that lost its group comes back by the last record that counts, with nobody else there", async () => {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const { alice, bob, room, junk } = await fromOutside(hostile, {}, {});
  for (const person of [alice, bob]) await person[Symbol.asyncDispose]();
  await hostile.write(room, "h", junk);
  await hostile.write(room, "h", crypto.getRandomValues(new Uint8Array(80)));
  await bob.store.commit([{ table: "groups", key: room, value: undefined }]);
  const back = await world.open("bob", bob.store);
  await back.client.send(room, "all alone");
  const alicesBack = await world.open("alice", alice.store);
  await reads(alicesBack, "all alone");
});

/** Alice is about to remove carol, and bob not to get that record. */
async function withheld(hostile: HostileWorld) {
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport: wire });
  const carol = await world.person("carol");
  const { room } = bob.client.rooms.find("general");
  for (const { client } of [alice, bob, carol])
    await until("all are in", () => client.rooms.members(room).length === 3);
  await carol[Symbol.asyncDispose]();
  let removal: bigint | undefined;
  const record: Tampering["record"] = ({ kind, sequence }) => {
    if (kind === RecordKind.HANDSHAKE) removal ??= sequence;
    return sequence === removal ? [] : undefined;
  };
  wire.tampering = { record };
  return { wire, alice, bob, room, record, removal: () => removal };
}

test("a removal that the server leaves out is asked for, and told like any other", async () => {
  await using hostile = await HostileWorld.start();
  const { alice, bob, room } = await withheld(hostile);
  await alice.client.rooms.remove(room, "carol");
  await alice.client.rooms.renew(room);
  await until("bob is told who went", async () =>
    (await entries(bob)).some((entry) => entry.type === "membership" && entry.change === "removed"),
  );
  expect(bob.client.rooms.members(room)).toHaveLength(2);
  await bob.client.send(room, "without her");
  await reads(alice, "without her");
  expect((await entries(bob)).filter(({ type }) => type === "notice")).toEqual([]);
});

test("a device from which it was withheld altogether follows it once the server shows it", async () => {
  await using hostile = await HostileWorld.start();
  const { wire, alice, bob, room, record, removal } = await withheld(hostile);
  wire.tampering = {
    record,
    request: (body) =>
      body.case === "getHandshake" && body.value.sequence === removal()
        ? { ...body, value: { ...body.value, sequence: 1n << 40n } }
        : undefined,
  };
  const told = notices(bob.client);
  await alice.client.rooms.remove(room, "carol");
  await alice.client.rooms.renew(room);
  await until("bob is told", () => /rules was not followed/.test(told.join()), 30_000);
  expect(bob.client.rooms.members(room)).toHaveLength(3);
  wire.tampering = {};
  wire.cut();
  await until("bob knows", () => bob.client.rooms.members(room).length === 2);
  await bob.client.send(room, "without her");
  await reads(alice, "without her");
});
