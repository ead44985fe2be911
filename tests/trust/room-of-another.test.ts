import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  decodeEnvelope,
  foldRoster,
  type Roster,
  rosterFromMessage,
  rosterToMessage,
  sha256Hex,
  signEnvelope,
  signerFromSeed,
} from "@sotto/identity";
import { createMls, type Group } from "@sotto/mls";
import {
  EnvelopeKind,
  EnvelopeSchema,
  fromHex,
  HandshakeRecordSchema,
  HistoryPolicy,
  RecordKind,
  type Record as RecordMessage,
  type RoomId,
  RoomPolicySchema,
  RosterSchema,
  toHex,
} from "@sotto/protocol";
import { type Checks, joinByLink, loadProfile } from "@sotto/sdk";
import { expect, test } from "vitest";
import { LastingStore } from "../scenarios/company.ts";
import { type Joined, until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { keptGroup } from "./harness/kept-group.ts";
import { storeCommit, storeMessage } from "./harness/lax-keyserver.ts";
import { notices } from "./harness/notices.ts";
import { secondDevice } from "./harness/second-device.ts";
import { textsOpened } from "./harness/spy.ts";
import { Wire } from "./harness/wire.ts";

/** A room as the server wants bob's new phone to see it: by this record, with this roster. */
interface Shown {
  readonly sequence: bigint;
  readonly data: Uint8Array;
  readonly roster: Roster;
  /** Who reads along. */
  readonly spy: Group;
}

interface Attack {
  readonly hostile: HostileWorld;
  readonly bob: Joined;
  readonly mallory: Joined;
  readonly room: RoomId;
}

/** Alice, bob and mallory have accounts; nobody but bob is online any more, and the server loses his commits. */
async function begin(malloryIsMember: boolean): Promise<Attack> {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport: wire });
  const { room } = bob.client.rooms.find("general");
  const { invite } = await alice.client.invite({ rooms: malloryIsMember ? ["general"] : [] });
  const mallory = await world.arrive("mallory", invite);
  await mallory.client.online();
  const count = malloryIsMember ? 3 : 2;
  await until("all are in", () => bob.client.rooms.members(room).length === count);
  if (malloryIsMember) await mallory.client.rooms.waitFor("general", 10_000);
  await bob.client.send(room, "hello");
  const attack = { hostile, bob, mallory, room };
  if (malloryIsMember) return { ...attack, mallory: await outlive(attack, alice) };
  await mallory[Symbol.asyncDispose]();
  await alice[Symbol.asyncDispose]();
  wire.tampering = { request: (body) => (body.case === "commit" ? "lost" : undefined) };
  return attack;

  async function outlive({ bob, room }: Attack, by: Joined): Promise<Joined> {
    shownBefore.set(room, await lastOf(hostile, bob, room));
    await mallory[Symbol.asyncDispose]();
    await by.client.rooms.remove(room, "mallory");
    await until("bob knows", () => bob.client.rooms.members(room).length === 2);
    await by[Symbol.asyncDispose]();
    wire.tampering = { request: (body) => (body.case === "commit" ? "lost" : undefined) };
    return mallory;
  }
}

/** The room of before a removal, by room. */
const shownBefore = new Map<RoomId, Omit<Shown, "spy">>();

async function lastOf(
  hostile: HostileWorld,
  { store }: Joined,
  room: RoomId,
): Promise<Omit<Shown, "spy">> {
  const last = (await hostile.records(room)).findLast(({ kind }) => kind === RecordKind.HANDSHAKE);
  const state = JSON.parse(new TextDecoder().decode(await store.get("rooms", room)));
  const roster = rosterFromMessage(fromBinary(RosterSchema, fromHex(state.roster)));
  if (!last) throw new Error("the room has not begun");
  return { sequence: last.sequence, data: last.data, roster };
}

/** A group of mallory's own under the room's id, its first record, and a roster in which bob's laptop is a member. */
async function madeUp({ hostile, bob, mallory, room }: Attack): Promise<Shown> {
  const profile = await loadProfile(mallory.store);
  if (!profile) throw new Error("mallory has no profile");
  const { user, device, secrets, suite } = profile;
  const directory = await hostile.directory();
  const policy = toBinary(
    RoomPolicySchema,
    create(RoomPolicySchema, { admins: [fromHex(user)], history: HistoryPolicy.ALL }),
  );
  const recordHash = fromHex(directory.device(device)?.recordHash ?? "");
  const { publicKey } = await signerFromSeed(secrets.mls);
  const spy = await createMls({ suite, now: Date.now }).createGroup({
    room: fromHex(room),
    identity: { user, device, recordHash },
    signatureKey: { publicKey, privateKey: secrets.mls },
    policy,
  });
  const part = (inline: Uint8Array) => ({ inline, bytes: inline.length });
  const self = { user: fromHex(user), device: fromHex(device) };
  const envelope = create(EnvelopeSchema, {
    version: 1,
    room: fromHex(room),
    kind: EnvelopeKind.CREATE,
    committer: self,
    added: [self],
    directorySize: BigInt(directory.size),
    groupInfo: part(await spy.groupInfo()),
    tree: part(await spy.tree()),
    policy,
  });
  const data = await signEnvelope(
    toBinary(EnvelopeSchema, envelope),
    await signerFromSeed(secrets.sign),
  );
  const { sequence } = await lastOf(hostile, bob, room);
  const folded = foldRoster(undefined, envelope, Number(sequence), await sha256Hex(data));
  const laptop = { user: bob.client.profile.user, device: bob.client.profile.device };
  const devices = new Map([
    ...folded.devices,
    [laptop.device, { ...laptop, entered: Number(sequence) }] as const,
  ]);
  return { sequence, data, roster: { ...folded, devices }, spy };
}

async function ofBefore({ mallory, room }: Attack): Promise<Shown> {
  const shown = shownBefore.get(room);
  if (!shown) throw new Error("nothing was kept of the room");
  return { ...shown, spy: await keptGroup(mallory.store, room) };
}

/** Bob links a phone, to which the server shows that room and nothing of the true one. */
async function linkPhone(
  { hostile, bob, room }: Attack,
  { sequence, data, roster }: Shown,
  checks: Partial<Checks>,
) {
  const { world } = hostile;
  const own: { sequence: bigint } = { sequence: 0n };
  const wire = new Wire();
  wire.tampering = {
    request: (body) => {
      if (body.case === "getHandshake")
        return {
          answer: {
            case: "handshakeRecord",
            value: create(HandshakeRecordSchema, { sequence, data }),
          },
        };
      if (body.case === "getRoster")
        return { answer: { case: "roster", value: rosterToMessage(roster) } };
      if (body.case === "commit") return { answer: entering(body) };
      if (body.case === "append") return { answer: storeMessage(hostile, body, device) };
      return undefined;
    },
    record: (record: RecordMessage) =>
      toHex(record.room) === room && (own.sequence === 0n || record.sequence < own.sequence)
        ? []
        : undefined,
  };
  const entering = async (body: Parameters<typeof storeCommit>[1]) => {
    const answer = await storeCommit(hostile, body);
    if (answer.case === "appended" && own.sequence === 0n)
      own.sequence = answer.value.position?.sequence ?? 0n;
    return answer;
  };
  const store = new LastingStore();
  const link = await bob.client.devices.link();
  const done = link.complete(new AbortController().signal);
  await joinByLink({ code: link.code, deviceName: "phone", store, transport: world.transport });
  await done;
  const device = (await loadProfile(store))?.device ?? bob.client.profile.device;
  const phone = await world.open("bob/phone", store, { transport: wire, checks, random: () => 0 });
  return { phone, own, told: notices(phone.client) };
}

/** What the spy reads of what the phone says, once it is in. */
async function overheard(
  { hostile, room }: Attack,
  { spy }: Shown,
  { phone, own }: Awaited<ReturnType<typeof linkPhone>>,
  text: string,
): Promise<readonly string[]> {
  const isIn = () =>
    phone.client.rooms.list().some((entry) => entry.room === room && entry.phase === "active");
  await until("the phone is in", isIn, 30_000);
  phone.client.send(room, text).catch(() => {});
  const records = async () => await hostile.records(room);
  await until("it was said", async () => (await records()).at(-1)?.kind === RecordKind.MESSAGE);
  const rejoin = (await records()).find(({ sequence }) => sequence === own.sequence);
  const commit = decodeEnvelope(rejoin?.data ?? new Uint8Array()).commit?.inline;
  await spy.process(commit ?? new Uint8Array(), { expect: "anything", judge: () => true });
  for (;;) {
    const read = await textsOpened(spy, await records());
    if (read.includes(text)) return read;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const [what, malloryIsMember, show] of [
  ["that a stranger made up under its id", false, madeUp],
  ["of before a removal, which its archive knows of", true, ofBefore],
] as const) {
  test(`a linked device does not come into a room ${what}, and says so`, async () => {
    const attack = await begin(malloryIsMember);
    await using _ = attack.hostile;
    const linked = await linkPhone(attack, await show(attack), {});
    await until("bob is told", () => linked.told.length > 0, 30_000);
    expect(linked.told.join("\n")).toMatch(
      /could not come into a room of yours: .*the server shows this room otherwise than your devices know it/,
    );
    expect(linked.own.sequence).toBe(0n);
  });

  test(`control: without that check it comes into a room ${what}, and is overheard`, async () => {
    const attack = await begin(malloryIsMember);
    await using _ = attack.hostile;
    const shown = await show(attack);
    const linked = await linkPhone(attack, shown, { roomAnchor: false });
    expect(await overheard(attack, shown, linked, "for alice alone")).toContain("for alice alone");
  });
}

/**
 * Carol was removed. Dave's phone comes in by itself; the server tells it that nobody ever was. Answers who is in the
 * room once the phone has looked for people to let in.
 */
async function comesInByItself(checks: Partial<Checks>, settled: (names: string[]) => boolean) {
  await using hostile = await HostileWorld.start();
  const { world } = hostile;
  const alice = await world.person("alice", { random: () => 0 });
  const carol = await world.person("carol");
  const wire = new Wire();
  const dave = await world.person("dave", { transport: wire, random: () => 0 });
  const { room } = dave.client.rooms.find("general");
  await alice.client.rooms.remove("general", "carol");
  await until("carol is out", () => carol.client.rooms.find("general").phase === "left");
  await until("dave knows", () => dave.client.rooms.members(room).length === 2);
  await alice[Symbol.asyncDispose]();
  wire.tampering = { request: (body) => (body.case === "commit" ? "lost" : undefined) };
  const nobodyLeft = new Wire({
    response: (body) =>
      body.case === "roster" ? { case: "roster", value: { ...body.value, former: [] } } : undefined,
  });
  const options = { transport: nobodyLeft, checks, random: () => 0 };
  const phone = await secondDevice(world, dave, "phone", options);
  const names = () => phone.client.rooms.members(room).map(({ name }) => name);
  await until("the phone is in", () => names().length > 0, 30_000);
  await until("it has looked", () => settled(names().sort()), 30_000);
  return names().sort();
}

test("a device that came in by itself lets in nobody who was removed, whatever the server says", async () => {
  let looks = 0;
  const names = await comesInByItself({}, () => ++looks > 300);
  expect(names).toEqual(["alice", "dave"]);
});

test("control: without that check it lets her in", async () => {
  expect(await comesInByItself({ roomAnchor: false }, (names) => names.length > 2)).toEqual([
    "alice",
    "carol",
    "dave",
  ]);
});
