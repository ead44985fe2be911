import { toBinary } from "@bufbuild/protobuf";
import { DirectoryStoreError } from "@sotto/directory";
import { directRoomId, rosterToMessage, sha256, sha256Hex, signEnvelope } from "@sotto/identity";
import { RoomsRequestSchema, RoomsResponseSchema, subjects } from "@sotto/interservice";
import { LogError } from "@sotto/log";
import { EnvelopeKind, ErrorCode, fromHex, limits, RosterSchema, toHex } from "@sotto/protocol";
import { describe, expect, test } from "vitest";
import { newDevice, randomBytes } from "../../../../libs/identity/test/person.ts";
import { policyOf } from "../../../../libs/identity/test/room.ts";
import {
  ownedWorld,
  refusedWith,
  type TestReplica,
  withMethods,
} from "../../test/keyserver-world.ts";
import { leaf, ServedRoom } from "../../test/test-room.ts";
import { topicOf } from "../rosters.ts";

const { CREATE, ADD, REMOVE, UPDATE, REJOIN } = EnvelopeKind;

async function threeOfThem() {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const carol = await world.join(server, alice, "carol");
  return { world, server, alice, bob, carol };
}

const submit = (record: Uint8Array) => ({ case: "submitRecord" as const, value: { record } });

/** Rooms of a user as an edge hears them. */
async function roomsOf(server: TestReplica, user: string) {
  const { rosters } = await server.call(
    subjects.keyserverRooms,
    RoomsRequestSchema,
    RoomsResponseSchema,
    { user: fromHex(user) },
  );
  return rosters;
}

test("a room's records stand in the log byte for byte, and everybody hears the same roster", async () => {
  const { world, server, alice, bob } = await threeOfThem();
  const room = await ServedRoom.begun(server, alice, bob);
  const { data } = await room.envelope({ kind: UPDATE, by: bob, directorySize: 3 });
  const { position, duplicate } = await room.send(server, bob, data);
  expect(duplicate).toBe(false);
  const [record] = (await world.log.read({ topic: topicOf(room.room), after: 0, limit: 10 })).slice(
    -1,
  );
  expect(record).toMatchObject({ kind: "h", sequence: Number(position?.sequence) });
  expect(toHex(record?.data ?? new Uint8Array())).toBe(toHex(data));
  const roster = await room.rosterSeenBy(server, bob);
  expect(roster.headHash).toEqual(await sha256(data));
  expect(roster.foldedTo).toBe(position?.sequence);
  for (const { user } of [alice, bob]) expect(await roomsOf(server, user)).toEqual([roster]);
});

test("rooms are listed with the record that let this device in", async () => {
  const { server, alice, bob, carol } = await threeOfThem();
  const room = await ServedRoom.begun(server, alice);
  const entered = await room.commit(server, { kind: ADD, by: alice, added: [leaf(bob)] });
  const list = { case: "listRooms" as const, value: {} };
  expect((await server.ask(bob, list, "roomList")).rooms).toMatchObject([
    { room: fromHex(room.room), handshake: BigInt(entered), entered: BigInt(entered), direct: [] },
  ]);
  expect((await server.ask(carol, list, "roomList")).rooms).toEqual([]);
  const phone = await newDevice();
  const record = await bob.add(phone);
  await server.ask(bob, { case: "submitRecord", value: { record } }, "recordStored");
  const asPhone = { user: bob.user, first: phone };
  expect((await server.ask(asPhone, list, "roomList")).rooms).toMatchObject([{ entered: 0n }]);
});

test("any member removes a device that its owner revoked, and no other one", async () => {
  const { server, alice, bob, carol } = await threeOfThem();
  const phone = await newDevice();
  await server.ask(carol, submit(await carol.add(phone)), "recordStored");
  const room = await ServedRoom.begun(server, alice, bob, carol);
  await room.commit(server, { kind: ADD, by: alice, added: [leaf(carol, phone)] });
  const remove = { kind: REMOVE, by: bob, removed: [leaf(carol, phone)] };
  const forbidden = refusedWith(ErrorCode.FORBIDDEN);
  await expect(room.commit(server, remove)).rejects.toMatchObject(forbidden);
  await server.ask(carol, submit(await carol.revoke(phone.id)), "recordStored");
  // Judged by a directory in which it still stood, as members who read the record would judge it.
  await expect(room.commit(server, { ...remove, directorySize: 4 })).rejects.toMatchObject(
    forbidden,
  );
  await room.commit(server, remove);
  const both = { kind: REMOVE, by: bob, removed: [leaf(carol)] };
  await expect(room.commit(server, both)).rejects.toMatchObject(forbidden);
});

describe("a device whose user is in the room", () => {
  test("gets the last handshake record, byte for byte, and comes in by an external commit", async () => {
    const { server, alice, bob, carol } = await threeOfThem();
    const phone = await newDevice();
    await server.ask(bob, submit(await bob.add(phone)), "recordStored");
    const room = await ServedRoom.begun(server, alice);
    const added = [leaf(bob)];
    const { data, envelope } = await room.envelope({
      kind: ADD,
      by: alice,
      added,
      directorySize: 4,
    });
    const { position } = await room.send(server, alice, data);
    const ask = { case: "getHandshake" as const, value: { room: fromHex(room.room) } };
    const asPhone = { user: bob.user, first: phone };
    const record = await server.ask(asPhone, ask, "handshakeRecord");
    expect(record.sequence).toBe(position?.sequence);
    expect(toHex(record.data)).toBe(toHex(data));
    const at = (sequence: bigint) =>
      server.ask(asPhone, { ...ask, value: { ...ask.value, sequence } }, "handshakeRecord");
    expect(toHex((await at(record.sequence)).data)).toBe(toHex(data));
    const before = await at(envelope.previousSequence);
    expect(await sha256Hex(before.data)).toBe(toHex(envelope.previousSha256));
    for (const nowhere of [record.sequence + 1n, 2n ** 60n])
      await expect(at(nowhere)).rejects.toThrow();
    await expect(server.ask(carol, ask, "handshakeRecord")).rejects.toMatchObject(
      refusedWith(ErrorCode.NOT_A_MEMBER),
    );
    room.fold(envelope, Number(record.sequence), await sha256Hex(data));
    const rejoin = await room.envelope({
      kind: REJOIN,
      by: Object.assign(Object.create(bob), { first: phone }),
      directorySize: 4,
    });
    const { position: entered } = await room.send(server, asPhone, rejoin.data);
    const list = await server.ask(asPhone, { case: "listRooms", value: {} }, "roomList");
    expect(list.rooms).toMatchObject([{ entered: entered?.sequence }]);
  });

  test("does not, once all that it has there is revoked", async () => {
    const { server, alice, bob } = await threeOfThem();
    const [phone, tablet] = [await newDevice(), await newDevice()];
    for (const device of [phone, tablet])
      await server.ask(bob, submit(await bob.add(device)), "recordStored");
    const room = await ServedRoom.begun(server, alice);
    await room.commit(server, { kind: ADD, by: alice, added: [leaf(bob, phone)] });
    const ask = { case: "getHandshake" as const, value: { room: fromHex(room.room) } };
    const asTablet = { user: bob.user, first: tablet };
    await server.ask(asTablet, ask, "handshakeRecord");
    await server.ask(bob, submit(await bob.revoke(phone.id)), "recordStored");
    const refused = refusedWith(ErrorCode.NOT_A_MEMBER);
    await expect(server.ask(asTablet, ask, "handshakeRecord")).rejects.toMatchObject(refused);
    const by = Object.assign(Object.create(bob), { first: tablet });
    const { data } = await room.envelope({ kind: REJOIN, by, directorySize: 6 });
    await expect(room.send(server, asTablet, data)).rejects.toMatchObject(refused);
  });
});

describe("what is refused", () => {
  test("roles and places in the room are kept", async () => {
    const { server, alice, bob, carol } = await threeOfThem();
    const room = await ServedRoom.begun(server, alice, bob);
    const added = [leaf(carol)];
    await expect(room.commit(server, { kind: ADD, by: carol, added })).rejects.toMatchObject(
      refusedWith(ErrorCode.NOT_A_MEMBER),
    );
    await expect(
      room.commit(server, { kind: REMOVE, by: bob, removed: [leaf(alice)] }),
    ).rejects.toMatchObject(refusedWith(ErrorCode.FORBIDDEN));
    await room.commit(server, { kind: REMOVE, by: alice, removed: [leaf(bob)] });
    await expect(room.commit(server, { kind: UPDATE, by: bob })).rejects.toMatchObject(
      refusedWith(ErrorCode.NOT_A_MEMBER),
    );
    const nowhere = new ServedRoom();
    await expect(nowhere.commit(server, { kind: UPDATE, by: bob })).rejects.toMatchObject(
      refusedWith(ErrorCode.UNKNOWN_ROOM),
    );
  });

  test("of commits for one place one wins, on whichever replica, and the others hear which", async () => {
    const { world, server, alice, bob } = await threeOfThem();
    const other = await world.start();
    const room = await ServedRoom.begun(server, alice, bob);
    const drafts = await Promise.all(
      [alice, bob, alice, bob].map(async (by, at) => ({
        by,
        on: at % 2 ? server : other,
        ...(await room.envelope({
          kind: UPDATE,
          by,
          directorySize: 3,
          faults: { skipped: [BigInt(at)] },
        })),
      })),
    );
    const results = await Promise.allSettled(
      drafts.map(({ by, on, data }) => room.send(on, by, data)),
    );
    const won = results.filter((result) => result.status === "fulfilled");
    expect(won).toHaveLength(1);
    const sequence = Number(won[0]?.value.position?.sequence);
    for (const result of results)
      if (result.status === "rejected")
        expect(result.reason).toMatchObject({
          ...refusedWith(ErrorCode.STALE),
          handshake: sequence,
        });
    expect((await world.log.head(topicOf(room.room))).handshake).toBe(sequence);
  });

  test("a room that is there is not made again, whoever begins at the same time", async () => {
    const { server, alice, bob } = await threeOfThem();
    const direct = [alice.user, bob.user].sort();
    const id = await directRoomId(alice.user, bob.user);
    const begin = async (by: typeof alice) => {
      const change = { kind: CREATE, by, direct, policy: policyOf(...direct) };
      return await new ServedRoom(id).commit(server, change);
    };
    const results = await Promise.allSettled([begin(alice), begin(bob)]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const lost = results.find((result) => result.status === "rejected");
    expect(lost?.reason).toMatchObject(refusedWith(ErrorCode.ROOM_EXISTS));
  });

  test("that two others talk shows to nobody", async () => {
    const { server, alice, bob, carol } = await threeOfThem();
    const direct = [alice.user, bob.user].sort();
    const policy = policyOf(...direct);
    const room = new ServedRoom(await directRoomId(alice.user, bob.user));
    const asks = async () => {
      const answers = [
        room.rosterSeenBy(server, carol),
        room.commit(server, { kind: UPDATE, by: carol }),
        room.commit(server, { kind: CREATE, by: carol, direct, policy }),
      ];
      return (await Promise.allSettled(answers)).map((answer) =>
        answer.status === "rejected" ? answer.reason.code : "answered",
      );
    };
    const before = await asks();
    const begun = new ServedRoom(room.room);
    await begun.commit(server, { kind: CREATE, by: alice, direct, policy });
    expect(await asks()).toEqual(before);
    expect(before).not.toContain("answered");
  });

  test("an envelope is the calling device's, signed by it, for this room", async () => {
    const { server, alice, bob } = await threeOfThem();
    const room = await ServedRoom.begun(server, alice, bob);
    const { data } = await room.envelope({ kind: UPDATE, by: bob, directorySize: 3 });
    await expect(room.send(server, alice, data)).rejects.toMatchObject(
      refusedWith(ErrorCode.FORBIDDEN),
    );
    const forged = data.slice();
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    await expect(room.send(server, bob, forged)).rejects.toMatchObject(
      refusedWith(ErrorCode.BAD_SIGNATURE),
    );
    const other = await ServedRoom.begun(server, bob);
    await expect(other.send(server, bob, data)).rejects.toMatchObject(
      refusedWith(ErrorCode.BAD_ENVELOPE),
    );
    for (const bytes of [randomBytes(50), new Uint8Array()])
      await expect(room.send(server, bob, bytes)).rejects.toMatchObject(
        refusedWith(ErrorCode.BAD_ENVELOPE),
      );
    const huge = await signEnvelope(new Uint8Array(limits.envelopeBytesMax), bob.first.signer);
    await expect(room.send(server, bob, huge)).rejects.toMatchObject(
      refusedWith(ErrorCode.TOO_LARGE),
    );
  });

  test("an envelope's directory size is one that members can reach, holds its committer, and does not shrink", async () => {
    const { server, alice, bob } = await threeOfThem();
    const room = await ServedRoom.begun(server, alice, bob);
    for (const directorySize of [0, 1, 4, Number.MAX_SAFE_INTEGER])
      await expect(
        room.commit(server, { kind: UPDATE, by: bob, directorySize }),
      ).rejects.toMatchObject(refusedWith(ErrorCode.BAD_ENVELOPE));
    await expect(
      room.commit(server, { kind: UPDATE, by: bob, directorySize: 2 }),
    ).rejects.toMatchObject(refusedWith(ErrorCode.BAD_ENVELOPE));
    await room.commit(server, { kind: UPDATE, by: bob, directorySize: 3 });
  });

  test("only devices that the directory held, and that are not revoked, are added", async () => {
    const { server, alice, bob, carol } = await threeOfThem();
    const room = await ServedRoom.begun(server, alice);
    const add = (added: ReturnType<typeof leaf>, directorySize: number) =>
      room.commit(server, { kind: ADD, by: alice, added: [added], directorySize });
    await expect(add(leaf(carol), 2)).rejects.toMatchObject(refusedWith(ErrorCode.UNKNOWN_DEVICE));
    await expect(add(leaf(carol, await newDevice()), 3)).rejects.toMatchObject(
      refusedWith(ErrorCode.UNKNOWN_DEVICE),
    );
    await expect(add(leaf(carol, bob.first), 3)).rejects.toMatchObject(
      refusedWith(ErrorCode.UNKNOWN_DEVICE),
    );
    const phone = await newDevice();
    for (const record of [await carol.add(phone), await carol.revoke(phone.id)])
      await server.ask(carol, { case: "submitRecord", value: { record } }, "recordStored");
    for (const size of [4, 5])
      await expect(add(leaf(carol, phone), size)).rejects.toMatchObject(
        refusedWith(ErrorCode.DEVICE_REVOKED),
      );
    await add(leaf(carol), 3);
  });

  test("a room is full at its bound", async () => {
    const { world, alice, bob, carol } = await threeOfThem();
    const small = await world.start({ limits: { roomDevicesMax: 2 } });
    const room = await ServedRoom.begun(small, alice, bob);
    await expect(
      room.commit(small, { kind: ADD, by: alice, added: [leaf(carol)] }),
    ).rejects.toMatchObject(refusedWith(ErrorCode.ROOM_FULL));
  });

  test("a flood of commits for one room answers BUSY and leaves the others alone", async () => {
    const { world, alice, bob } = await threeOfThem();
    const server = await world.start({ limits: { waitingCommitsMax: 2 } });
    const [room, quiet] = [
      await ServedRoom.begun(server, alice, bob),
      await ServedRoom.begun(server, bob),
    ];
    const { data } = await room.envelope({ kind: UPDATE, by: alice, directorySize: 3 });
    const flood = Array.from({ length: 12 }, () => room.send(server, alice, data));
    const calm = quiet.commit(server, { kind: UPDATE, by: bob });
    const codes = (await Promise.allSettled(flood)).map((result) =>
      result.status === "rejected" ? result.reason.code : result.value.duplicate,
    );
    expect(codes).toContain(ErrorCode.BUSY);
    expect(codes.filter((code) => code === false)).toHaveLength(1);
    expect(await calm).toBeGreaterThan(0);
  });
});

describe("what goes wrong underneath", () => {
  test("a commit whose answer was lost is answered again, not made again", async () => {
    const { world, server, alice } = await threeOfThem();
    const room = await ServedRoom.begun(server, alice);
    const { data } = await room.envelope({ kind: UPDATE, by: alice, directorySize: 3 });
    const first = await room.send(server, alice, data);
    for (const replica of [server, await world.start()]) {
      const again = await room.send(replica, alice, data);
      expect(again).toMatchObject({ position: first.position, duplicate: true });
    }
  });

  test("a crash between append and fold loses nothing: the log is the truth", async () => {
    const { world, server, alice, bob } = await threeOfThem();
    const room = await ServedRoom.begun(server, alice);
    const { data } = await room.envelope({
      kind: ADD,
      by: alice,
      added: [leaf(bob)],
      directorySize: 3,
    });
    const expectHandshake = (await world.log.head(topicOf(room.room))).handshake;
    const key = toHex(await sha256(data));
    await world.log.append({ topic: topicOf(room.room), kind: "h", key, expectHandshake, data });
    expect((await room.rosterSeenBy(server, alice)).devices).toHaveLength(2);
    await world.store.deleteRoster(room.room);
    const restarted = await world.start();
    expect(await roomsOf(restarted, bob.user)).toHaveLength(1);
    expect((await room.rosterSeenBy(restarted, bob)).headHash).toEqual(await sha256(data));
  });

  test("a store that fails after the log took the record fails no commit, and is made up for", async () => {
    const { world, server, alice, bob } = await threeOfThem();
    const room = await ServedRoom.begun(server, alice);
    let failing = false;
    const { store } = world;
    const flaky = withMethods(store, {
      putRoster: async (roster: Parameters<typeof store.putRoster>[0]) => {
        if (failing) throw new DirectoryStoreError("UNAVAILABLE", "away");
        return await store.putRoster(roster);
      },
    });
    const replica = await world.start({ store: flaky });
    failing = true;
    await room.commit(replica, { kind: ADD, by: alice, added: [leaf(bob)] });
    await expect(roomsOf(replica, bob.user)).rejects.toMatchObject(
      refusedWith(ErrorCode.UNAVAILABLE),
    );
    failing = false;
    expect(await roomsOf(replica, bob.user)).toHaveLength(1);
    expect(await roomsOf(server, bob.user)).toHaveLength(1);
  });

  test.each([
    ["FULL", ErrorCode.STORAGE_FULL],
    ["UNAVAILABLE", ErrorCode.UNAVAILABLE],
    ["TOO_LARGE", ErrorCode.TOO_LARGE],
    ["CORRUPT", ErrorCode.INTERNAL],
  ] as const)("a log that is %s is told as such, and the room goes on", async (code, expected) => {
    const { world, alice } = await threeOfThem();
    let failing = false;
    const { log } = world;
    const flaky = withMethods(log, {
      append: async (request: Parameters<typeof log.append>[0]) => {
        if (failing) throw new LogError(code, "it failed");
        return await log.append(request);
      },
    });
    const server = await world.start({ log: flaky });
    const room = await ServedRoom.begun(server, alice);
    failing = true;
    await expect(room.commit(server, { kind: UPDATE, by: alice })).rejects.toMatchObject(
      refusedWith(expected),
    );
    failing = false;
    await room.commit(server, { kind: UPDATE, by: alice });
  });

  test.each([
    ["set back", 50, (bytes: Uint8Array) => bytes],
    ["damaged in the store", 0, () => randomBytes(20)],
  ])("a roster that was %s is folded anew", async (_, ahead, damage) => {
    const { world, server, alice, bob } = await threeOfThem();
    const room = await ServedRoom.begun(server, alice);
    const { roster } = room;
    if (!roster) throw new Error("no roster");
    await world.store.deleteRoster(room.room);
    const foldedTo = roster.foldedTo + ahead;
    const message = rosterToMessage({ ...roster, foldedTo });
    const bytes = damage(toBinary(RosterSchema, message));
    await world.store.putRoster({ room: room.room, foldedTo, bytes, users: [bob.user] });
    const restarted = await world.start();
    expect(await room.rosterSeenBy(restarted, alice)).toEqual(rosterToMessage(roster));
    expect(await roomsOf(restarted, alice.user)).toHaveLength(1);
    expect(await roomsOf(restarted, bob.user)).toEqual([]);
  });
});

test("a recovery key is never in a room, and commits nothing", async () => {
  const { server, alice } = await ownedWorld();
  const paper = await newDevice();
  const record = await alice.recovery(paper);
  await server.ask(alice, { case: "submitRecord", value: { record } }, "recordStored");
  const room = await ServedRoom.begun(server, alice);
  const adds = { kind: EnvelopeKind.ADD, by: alice, added: [leaf(alice, paper)] };
  await expect(room.commit(server, adds)).rejects.toMatchObject(
    refusedWith(ErrorCode.UNKNOWN_DEVICE),
  );
});
