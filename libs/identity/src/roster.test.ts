import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { EnvelopeKind, RosterSchema } from "@sotto/protocol";
import { expect, test } from "vitest";
import { leafOf, policyOf, TestRoom } from "../test/room.ts";
import {
  hasUser,
  isHiddenFrom,
  passOver,
  rosterFromMessage,
  rosterToMessage,
  usersOf,
} from "./roster.ts";

test("who made a room is in it, as its admin, from its first record on", () => {
  const room = new TestRoom();
  const alice = leafOf();
  expect(room.fold({ kind: EnvelopeKind.CREATE, by: alice })).toEqual({
    room: room.room,
    foldedTo: 3,
    headHash: "3".padStart(64, "0"),
    epoch: 0,
    devices: new Map([[alice.device, { ...alice, entered: 3 }]]),
    admins: [alice.user],
    former: [],
    direct: [],
    directorySize: 0,
  });
});

test("devices come, go and come back, each with the record that let it in", () => {
  const room = new TestRoom();
  const [alice, bob] = [leafOf(), leafOf()];
  const tablet = leafOf(bob.user);
  room.fold({ kind: EnvelopeKind.CREATE, by: alice });
  const two = room.fold({ kind: EnvelopeKind.ADD, by: alice, added: [bob, tablet] });
  expect(two.devices.get(bob.device)).toEqual({ ...bob, entered: 6 });
  expect(usersOf(two)).toEqual(new Set([alice.user, bob.user]));
  const one = room.fold({ kind: EnvelopeKind.REMOVE, by: alice, removed: [bob] });
  expect(one.former).toEqual([]);
  expect(hasUser(one, bob.user)).toBe(true);
  const none = room.fold({ kind: EnvelopeKind.REMOVE, by: alice, removed: [tablet] });
  expect(none.former).toEqual([bob.user]);
  expect(hasUser(none, bob.user)).toBe(false);
  const back = room.fold({ kind: EnvelopeKind.ADD, by: alice, added: [tablet] });
  expect(back.former).toEqual([]);
  expect(back.devices.get(tablet.device)?.entered).toBe(15);
  expect(back.epoch).toBe(4);
});

test("who comes back by rejoining reads from there on; an update changes nobody", () => {
  const room = new TestRoom();
  const [alice, bob] = [leafOf(), leafOf()];
  room.fold({ kind: EnvelopeKind.CREATE, by: alice });
  room.fold({ kind: EnvelopeKind.ADD, by: alice, added: [bob] });
  const rejoined = room.fold({ kind: EnvelopeKind.REJOIN, by: bob });
  expect(rejoined.devices.get(bob.device)?.entered).toBe(9);
  expect(rejoined.devices.get(alice.device)?.entered).toBe(3);
  const updated = room.fold({ kind: EnvelopeKind.UPDATE, by: bob });
  expect(updated.devices).toEqual(rejoined.devices);
  expect(updated).toMatchObject({ epoch: 3, foldedTo: 12 });
});

test("a policy names the admins until the next one", () => {
  const room = new TestRoom();
  const [alice, bob] = [leafOf(), leafOf()];
  room.fold({ kind: EnvelopeKind.CREATE, by: alice });
  room.fold({ kind: EnvelopeKind.ADD, by: alice, added: [bob] });
  const policy = policyOf(alice.user, bob.user);
  const both = room.fold({ kind: EnvelopeKind.POLICY, by: alice, policy });
  expect(both.admins).toEqual([alice.user, bob.user]);
  expect(room.fold({ kind: EnvelopeKind.UPDATE, by: bob }).admins).toEqual(both.admins);
});

test("a record that is passed over moves the place, and nobody", () => {
  const room = new TestRoom();
  const before = room.fold({ kind: EnvelopeKind.CREATE, by: leafOf() });
  const sha256 = "ab".repeat(32);
  expect(passOver(before, 7, { sha256, epoch: 1 })).toEqual({
    ...before,
    foldedTo: 7,
    headHash: sha256,
    epoch: 1,
  });
  expect(passOver(before, 7, { sha256, epoch: 9 }).epoch).toBe(0);
  expect(passOver(before, 7)).toEqual({ ...before, foldedTo: 7 });
});

test("folding changes no roster that somebody holds", () => {
  const room = new TestRoom();
  const [alice, bob] = [leafOf(), leafOf()];
  const before = room.fold({ kind: EnvelopeKind.CREATE, by: alice });
  const copy = structuredClone(before);
  room.fold({ kind: EnvelopeKind.ADD, by: alice, added: [bob] });
  expect(before).toEqual(copy);
});

test("a roster travels as a message and comes back the same", () => {
  const room = new TestRoom();
  const [alice, bob, carol] = [leafOf(), leafOf(), leafOf()];
  const direct = [alice.user, bob.user].sort();
  room.fold({ kind: EnvelopeKind.CREATE, by: alice, direct, directorySize: 7 });
  room.fold({ kind: EnvelopeKind.ADD, by: alice, added: [bob, carol] });
  const roster = room.fold({ kind: EnvelopeKind.REMOVE, by: alice, removed: [carol] });
  expect(roster).toMatchObject({ direct, former: [carol.user], directorySize: 7 });
  const bytes = toBinary(RosterSchema, rosterToMessage(roster));
  expect(rosterFromMessage(fromBinary(RosterSchema, bytes))).toEqual(roster);
});

test("only a direct conversation of two others is hidden", () => {
  const [alice, bob, eve] = [leafOf(), leafOf(), leafOf()];
  const direct = new TestRoom();
  const dm = direct.fold({
    kind: EnvelopeKind.CREATE,
    by: alice,
    direct: [alice.user, bob.user].sort(),
  });
  expect([alice, bob, eve].map(({ user }) => isHiddenFrom(dm, user))).toEqual([false, false, true]);
  const group = new TestRoom().fold({ kind: EnvelopeKind.CREATE, by: alice });
  expect(isHiddenFrom(group, eve.user)).toBe(false);
});
