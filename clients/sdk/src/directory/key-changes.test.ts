import { Directory, sha256Hex } from "@sotto/identity";
import { EnvelopeKind, parseRoomId, type UserId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newDevice, newSigner, TestPerson } from "../../../../libs/identity/test/person.ts";
import { leafOf, TestRoom } from "../../../../libs/identity/test/room.ts";
import { textOf } from "../bytes.ts";
import { History } from "../history/history.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import type { StoreChange } from "../ports/profile-store.ts";
import { newRoomState, type RoomPhase } from "../rooms/room-state.ts";
import { KeyChanges } from "./key-changes.ts";

/** A room of this device, with people in it, read to record 9. */
function roomOf(byte: string, phase: RoomPhase, ...users: readonly UserId[]) {
  const room = new TestRoom(parseRoomId(byte.repeat(16)));
  const [first, ...others] = users.map((user) => leafOf(user));
  if (!first) throw new Error("nobody is in that room");
  room.fold({ kind: EnvelopeKind.CREATE, by: first });
  if (others.length > 0) room.fold({ kind: EnvelopeKind.ADD, by: first, added: others });
  const state = newRoomState(room.room, 1);
  state.phase = phase;
  state.roster = room.roster;
  state.cursor = 9;
  return state;
}

async function world() {
  const directory = new Directory();
  const [owner, bob] = [await TestPerson.named("olga"), await TestPerson.named("bob")];
  await directory.apply(await owner.create());
  await directory.apply(await bob.create());
  const states = [
    roomOf("aa", "active", owner.user, bob.user),
    roomOf("bb", "active", owner.user),
    roomOf("cc", "left", owner.user, bob.user),
  ];
  const notices: string[] = [];
  const submitted = new Set<string>();
  const history = await History.open(new MemoryStore());
  /** What the device `of` tells of a record. */
  const told = async (record: Uint8Array, of = owner, device = of.first.id) => {
    const changes = [await directory.apply(record)];
    const profile = { user: of.user, device };
    const alert = (text: string): StoreChange => {
      notices.push(text);
      return { table: "meta", key: "alerts", value: undefined };
    };
    const context = { profile, directory: { directory, submitted }, history, notices: { alert } };
    return entriesOf(new KeyChanges(context, () => states).tell(changes));
  };
  /** The same of a record that the device sent itself. */
  const sent = async (record: Uint8Array) => {
    submitted.add(await sha256Hex(record));
    return await told(record);
  };
  return { directory, owner, bob, told, sent, notices };
}

function entriesOf(changes: readonly StoreChange[]) {
  return changes
    .filter(({ table, value }) => table === "history" && value !== undefined)
    .map(({ value }) => JSON.parse(textOf(value ?? new Uint8Array())));
}

test("each kind of change is told once, where one is together with the person, with who signed it", async () => {
  const { owner, bob, told, notices } = await world();
  const [phone, paper, fresh] = [await newDevice(), await newDevice(), await newDevice()];
  const base = { type: "keys-changed", room: "aa".repeat(16), sequence: 9, user: bob.user };
  const by = (kind: string, device: string, user: UserId = bob.user) => ({
    kind,
    user,
    device,
    name: "laptop",
  });
  const invite = await newSigner();
  expect(await told(await bob.add(phone))).toEqual([
    {
      ...base,
      change: "device-added",
      device: phone.id,
      deviceName: "laptop",
      by: by("device", bob.first.id),
    },
  ]);
  expect(await told(await bob.recovery(paper))).toMatchObject([
    { change: "recovery-set", device: paper.id, by: by("device", bob.first.id) },
  ]);
  expect(await told(await bob.revoke(bob.first.id, paper))).toMatchObject([
    { change: "device-revoked", device: bob.first.id, by: by("recovery", paper.id) },
  ]);
  const spare = await newDevice();
  expect(await told(await bob.add(spare, paper, phone.id))).toMatchObject([
    { change: "device-added", device: spare.id, by: by("recovery", paper.id) },
    { change: "device-revoked", device: phone.id, by: by("recovery", paper.id) },
  ]);
  const reset = await bob.reset(fresh, invite, await owner.allows(bob.place(), invite));
  // Also on the device that allowed it: that is when it came to pass.
  expect(await told(reset)).toMatchObject([
    { change: "identity-reset", device: fresh.id, by: by("owner", owner.first.id, owner.user) },
  ]);
  expect(await told(await (await TestPerson.named("carol")).create())).toEqual([]);
  expect(notices).toEqual([]);
});

test("what happens to one's own account stands in every room, and is an alert", async () => {
  const { owner, told, sent, notices } = await world();
  const [phone, paper, tablet] = [await newDevice(), await newDevice(), await newDevice()];
  expect(await sent(await owner.add(phone))).toEqual([]);
  expect(await sent(await owner.recovery(paper))).toEqual([]);
  const rooms = (await told(await owner.add(tablet, phone))).map(({ room }) => room);
  expect(rooms).toEqual(["aa".repeat(16), "bb".repeat(16)]);
  await told(await owner.revoke(phone.id, paper));
  expect(notices).toEqual([
    expect.stringMatching(/^the device "laptop" was added .*signed by your device "laptop"/),
    expect.stringMatching(/^your device "laptop" was revoked, signed by your recovery phrase/),
  ]);
  // The device that came is told by its own beginning.
  const late = await newDevice();
  expect(await told(await owner.add(late), owner, late.id)).toEqual([]);
});

test("a device that was added with a copy of this device's keys is told", async () => {
  const { owner, told, sent, notices } = await world();
  const [phone, thief] = [await newDevice(), await newDevice()];
  expect(await sent(await owner.add(phone))).toEqual([]);
  expect(await told(await owner.add(thief))).toMatchObject([
    { change: "device-added", device: thief.id, by: { device: owner.first.id } },
    { change: "device-added", device: thief.id, by: { device: owner.first.id } },
  ]);
  expect(notices).toEqual([expect.stringMatching(/^the device "laptop" was added /)]);
});
