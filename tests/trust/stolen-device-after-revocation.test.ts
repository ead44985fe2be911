import { create } from "@bufbuild/protobuf";
import { addDeviceRecord, signerFromSeed } from "@sotto/identity";
import { EventSchema, RecordKind } from "@sotto/protocol";
import type { Checks } from "@sotto/sdk";
import { expect, test } from "vitest";
import { until } from "../scenarios/world.ts";
import { HostileWorld } from "./harness/hostile-world.ts";
import { Impostor } from "./harness/impostor.ts";
import { Insider } from "./harness/insider.ts";
import { keptGroup } from "./harness/kept-group.ts";
import { storeMessage } from "./harness/lax-keyserver.ts";
import { letsIn } from "./harness/lets-in.ts";
import { notices } from "./harness/notices.ts";
import { secondDevice } from "./harness/second-device.ts";
import { ShownDirectory } from "./harness/shown-directory.ts";
import { textsOpened, textsSpied } from "./harness/spy.ts";
import { type Tampering, Wire } from "./harness/wire.ts";

/**
 * Somebody has alice's unlocked phone, and the server on their side. Alice revokes the phone on her laptop. `before`:
 * what the server does from then on.
 */
async function stolen(checks: Partial<Checks>, before: (hostile: HostileWorld) => Tampering) {
  const hostile = await HostileWorld.start();
  const { world } = hostile;
  const wire = new Wire();
  const alice = await world.person("alice", { transport: wire, checks });
  const bob = await world.person("bob", { transport: wire, checks });
  const phone = await secondDevice(world, alice, "phone");
  const { room } = bob.client.rooms.find("general");
  await until("bob knows the phone", () =>
    bob.client.rooms.members(room).some(({ devices }) => devices === 2),
  );
  await phone[Symbol.asyncDispose]();
  const known = (await hostile.directory()).device(phone.client.profile.device);
  const thief = await Insider.with(phone.store, known?.recordHash ?? "");
  const kept = await keptGroup(phone.store, room);
  const sizeBefore = (await hostile.directory()).size;
  wire.tampering = before(hostile);
  const told = notices(bob.client);
  await alice.client.devices.revoke("phone");
  await bob.client.people.refresh();
  return { hostile, wire, alice, bob, phone, room, thief, kept, told, sizeBefore };
}

const outOfRoom = (
  person: { client: { rooms: { members(room: string): { devices: number }[] } } },
  room: string,
) =>
  until("the phone is out", () =>
    person.client.rooms.members(room).every(({ devices }) => devices === 1),
  );

test("who has it logs in no more, and its connection is told so", async () => {
  const { hostile, phone } = await stolen({}, () => ({}));
  await using _ = hostile;
  const again = await hostile.world.open("thief", phone.store);
  await until("it is refused", () => again.client.refusal !== undefined);
  expect(again.client.refusal).toMatchObject({ code: "REVOKED" });
});

/** The server keeps everybody from taking the phone out, and stores what is sent. */
async function sealsForIt(checks: Partial<Checks>) {
  const { hostile, bob, room, kept, told } = await stolen(checks, (world) => ({
    request: (body) => {
      if (body.case === "commit") return "lost";
      if (body.case !== "append") return undefined;
      return { answer: storeMessage(world, body, bobs()) };
    },
  }));
  const bobs = () => bob.client.profile.device;
  await using _ = hostile;
  const stop = new AbortController();
  const before = (await hostile.records(room)).length;
  const sent = bob.client.send(room, "for alice alone", stop.signal);
  sent.catch(() => {});
  const stored = async () => (await hostile.records(room)).length > before;
  await until(
    "bob is told, or it is stored",
    async () => told.length > 0 || (await stored()),
    40_000,
  );
  const read = await textsOpened(kept, await hostile.records(room));
  stop.abort();
  return { read, told };
}

test("while a server keeps it in a room nobody seals anything there, and people are told why", async () => {
  const { read, told } = await sealsForIt({});
  expect(read).not.toContain("for alice alone");
  expect(told.join("\n")).toMatch(
    /sending waits until a revoked device of alice is out of this room/,
  );
});

test("control: without that check bob seals for the thief", async () => {
  const { read } = await sealsForIt({ revokedLeaf: false });
  expect(read).toContain("for alice alone");
});

/** The thief comes back into the room by a commit that speaks of the directory before the revocation. */
async function comesBack(checks: Partial<Checks>) {
  const { hostile, bob, room, thief, told, sizeBefore } = await stolen(checks, () => ({}));
  await using _ = hostile;
  await outOfRoom(bob, room);
  const { data, group } = await thief.rejoin(await hostile.records(room), {
    directorySize: BigInt(sizeBefore),
  });
  const sequence = await hostile.write(room, "h", data);
  await until("bob has the record", async () => {
    const kept = JSON.parse(Buffer.from((await bob.store.get("rooms", room)) ?? "{}").toString());
    return kept.cursor >= sequence;
  });
  bob.client.send(room, "now that it is out").catch(() => {});
  await until("it is stored", async () => {
    const last = (await hostile.records(room)).at(-1);
    return last?.kind === RecordKind.MESSAGE && Number(last.sequence) > sequence;
  });
  return { read: await textsOpened(group, await hostile.records(room)), told };
}

test("it does not come back by speaking of a directory in which it was good", async () => {
  const { read, told } = await comesBack({});
  expect(read).toEqual([]);
  expect(told.join("\n")).toMatch(
    /breaks its rules was not followed: .*it goes by an older directory than a record before it/,
  );
});

test("control: without the room's rules it does, and reads", async () => {
  const { read } = await comesBack({ envelopeRules: false, revokedLeaf: false });
  expect(read).toEqual(["now that it is out"]);
});

/** With the phone's signing key the thief adds a device of their own to alice's chain; the server shows it. */
async function addsADevice(checks: Partial<Checks>) {
  const { hostile, wire, alice, bob, room, thief, told } = await stolen(checks, () => ({}));
  await using _ = hostile;
  await outOfRoom(bob, room);
  const directory = await hostile.directory();
  const chain = directory.user(alice.client.profile.user)?.chain ?? [];
  const impostor = await Impostor.of(alice.client.profile.user);
  const record = await addDeviceRecord(
    { user: impostor.user, seq: chain.length, prev: chain.at(-1) ?? "", at: Date.now() },
    impostor.description,
    impostor.sign,
    { device: thief.profile.device, signer: await signerFromSeed(thief.profile.secrets.sign) },
  );
  const shown = await ShownDirectory.of(await hostile.keys(), await hostile.identityRecords());
  await shown.add(record);
  const keyPackage = await impostor.keyPackage(record);
  wire.tampering = letsIn(impostor, keyPackage, shown, hostile);
  const value = { size: BigInt(shown.size) };
  const grew = create(EventSchema, { body: { case: "directoryGrew", value } });
  for (const line of wire.lines) line.event(grew);
  await until(
    "bob has acted on it",
    () =>
      told.some((text) => /directory/.test(text)) ||
      bob.client.rooms.members(room).some(({ devices }) => devices > 1),
  );
  await bob.client.send(room, "for alice alone").catch(() => {});
  return { read: await textsSpied(impostor, await hostile.records(room)), told };
}

test("what it signs after it was revoked is no record: it adds no device", async () => {
  const { read, told } = await addsADevice({});
  expect(read).toEqual([]);
  expect(told.join("\n")).toMatch(/breaks the rules \(.*revoked/);
});

test("control: without the directory's rules the thief's new device is let in, and reads", async () => {
  const { read } = await addsADevice({ directoryRules: false });
  expect(read).toEqual(["for alice alone"]);
});
