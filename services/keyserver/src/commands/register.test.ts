import { inviteKeys, sha256Hex } from "@sotto/identity";
import { ErrorCode } from "@sotto/protocol";
import { expect, test } from "vitest";
import { readJws, replaced, signJws } from "../../../../libs/identity/test/jws.ts";
import { iat, newDevice, randomBytes, TestPerson } from "../../../../libs/identity/test/person.ts";
import { keyserverWorld, ownedWorld, refusedWith } from "../../test/keyserver-world.ts";

const register = (serverToken: Uint8Array, record: Uint8Array) => ({
  case: "register" as const,
  value: { serverToken, record },
});

test("the owner comes with the invite that a server without an owner shows, the same at every start", async () => {
  const world = await keyserverWorld();
  const first = await world.start();
  const secret = await first.service.ownerInvite();
  expect(secret).toHaveLength(32);
  const second = await world.start();
  expect(await second.service.ownerInvite()).toEqual(secret);
  const alice = await world.owner(second);
  for (const server of [first, second, await world.start()])
    expect(await server.service.ownerInvite()).toBeUndefined();
  expect(await world.store.getMeta("owner-invite")).toEqual(new Uint8Array());
  expect(await world.store.listInvites()).toEqual([]);
  const page = await second.ask(
    alice,
    { case: "readDirectory", value: { from: 0n, limit: 0 } },
    "directoryPage",
  );
  expect(page.size).toBe(1n);
});

test("of two owner's invites of one moment, the first one used makes the owner and the other nobody", async () => {
  const world = await keyserverWorld();
  const server = await world.start();
  const late = (await server.service.ownerInvite()) ?? randomBytes(0);
  await world.store.putMeta("owner-invite", new Uint8Array());
  await world.owner(server);
  const { serverToken, inviteKey } = await inviteKeys(late);
  const second = await TestPerson.named("second", inviteKey);
  const asked = server.ask(undefined, register(serverToken, await second.create()), "registered");
  await expect(asked).rejects.toMatchObject(refusedWith(ErrorCode.INVITE_UNKNOWN));
});

test("an owner's invite that outlived its meaning makes no second owner", async () => {
  const { world, server } = await ownedWorld();
  const keys = await inviteKeys(randomBytes(32));
  await world.store.putInvite({
    tokenHash: await sha256Hex(keys.serverToken),
    createdBy: "",
    createdAt: iat,
    expiresAt: 0,
    usesLeft: 1,
    grants: new Uint8Array(),
  });
  await expect(world.arrive(server, "mallory", keys)).rejects.toMatchObject(
    refusedWith(ErrorCode.INVITE_USED),
  );
});

test("an invite is good for as many people as it says", async () => {
  const { world, server, alice } = await ownedWorld();
  const invite = await world.invite(server, alice, { uses: 2 });
  await world.arrive(server, "bob", invite);
  await world.arrive(server, "carol", invite);
  await expect(world.arrive(server, "dave", invite)).rejects.toMatchObject(
    refusedWith(ErrorCode.INVITE_USED),
  );
});

test("of many who come at once with one invite, exactly one gets in", async () => {
  const { world, server, alice } = await ownedWorld();
  const invite = await world.invite(server, alice);
  const came = await Promise.allSettled(
    Array.from({ length: 8 }, (_, at) => world.arrive(server, `guest-${at}`, invite)),
  );
  expect(came.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const { status, ...result } of came)
    if (status === "rejected")
      expect(result).toMatchObject({ reason: refusedWith(ErrorCode.INVITE_USED) });
});

test("an invite that nobody made, or that has expired, lets nobody in", async () => {
  const { world, server, alice } = await ownedWorld();
  const unknown = await inviteKeys(randomBytes(32));
  await expect(world.arrive(server, "bob", unknown)).rejects.toMatchObject(
    refusedWith(ErrorCode.INVITE_UNKNOWN),
  );
  const invite = await world.invite(server, alice, { expiresAt: iat + 1000 });
  await world.clock.advance(1001);
  await expect(world.arrive(server, "bob", invite)).rejects.toMatchObject(
    refusedWith(ErrorCode.INVITE_EXPIRED),
  );
});

test("whoever has no invite does not learn which names are taken", async () => {
  const { world, server } = await ownedWorld();
  const unknown = await inviteKeys(randomBytes(32));
  await expect(world.arrive(server, "alice", unknown)).rejects.toMatchObject(
    refusedWith(ErrorCode.INVITE_UNKNOWN),
  );
});

test("a refused record takes no use of the invite", async () => {
  const { world, server, alice } = await ownedWorld();
  const invite = await world.invite(server, alice);
  await expect(world.arrive(server, "alice", invite)).rejects.toMatchObject(
    refusedWith(ErrorCode.NAME_TAKEN),
  );
  await world.arrive(server, "bob", invite);
});

test("an arrival that the invite's key has not signed is refused", async () => {
  const { world, server, alice } = await ownedWorld();
  const { serverToken, inviteKey } = await world.invite(server, alice);
  const forger = await TestPerson.named("forger");
  const { header, payload } = readJws(await forger.create());
  const key = Buffer.from(inviteKey.publicKey).toString("base64url");
  const claimed = replaced(payload, ["invite", "key"], () => key);
  const record = await signJws(header, claimed, forger.first.signer);
  await expect(
    server.ask(undefined, register(serverToken, record), "registered"),
  ).rejects.toMatchObject(refusedWith(ErrorCode.BAD_SIGNATURE));
});

test("what is no record of a new account is refused with its reason", async () => {
  const { world, server, alice } = await ownedWorld();
  const { serverToken, inviteKey } = await world.invite(server, alice);
  const bob = await TestPerson.named("bob", inviteKey);
  const created = await bob.create();
  const { header, payload } = readJws(created);
  const named = await signJws(header, { ...payload, name: "Bob!" }, bob.first.signer);
  const cases: [Uint8Array, ErrorCode][] = [
    [randomBytes(40), ErrorCode.BAD_RECORD],
    [new Uint8Array(), ErrorCode.BAD_RECORD],
    [new Uint8Array(9000).fill(65), ErrorCode.BAD_RECORD],
    [await bob.revoke(bob.first.id), ErrorCode.BAD_RECORD],
    [named, ErrorCode.NAME_INVALID],
  ];
  for (const [record, code] of cases) {
    const asked = server.ask(undefined, register(serverToken, record), "registered");
    await expect(asked).rejects.toMatchObject(refusedWith(code));
  }
  await server.ask(undefined, register(serverToken, created), "registered");
});

test("the same record again is answered again: the first answer was lost", async () => {
  const { world, server, alice } = await ownedWorld();
  const { serverToken, inviteKey } = await world.invite(server, alice);
  const bob = await TestPerson.named("bob", inviteKey);
  const request = register(serverToken, await bob.create());
  const other = await world.start();
  expect(await server.ask(undefined, request, "registered")).toMatchObject({ index: 1n });
  expect(await server.ask(undefined, request, "registered")).toMatchObject({ index: 1n });
  expect(await other.ask(undefined, request, "registered")).toMatchObject({ index: 1n });
  expect(await world.store.size()).toBe(2);
});

test("replicas that share a store write one order, each by the newest state", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start();
  const invite = await world.invite(server, alice, { uses: 6 });
  const people = await Promise.all(
    Array.from({ length: 6 }, (_, at) =>
      world.arrive(at % 2 ? server : other, `guest-${at}`, invite),
    ),
  );
  const pages = await Promise.all(
    [server, other].map((replica) =>
      replica.ask(
        people[0],
        { case: "readDirectory", value: { from: 0n, limit: 0 } },
        "directoryPage",
      ),
    ),
  );
  expect(pages[0]?.records).toHaveLength(7);
  expect(pages[0]?.records).toEqual(pages[1]?.records);
  await expect(world.arrive(other, "guest-1", invite)).rejects.toThrow();
});

test("an identity begins anew by Register, and the devices before it are out at once", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const { serverToken, inviteKey } = await world.invite(server, alice);
  const fresh = await newDevice();
  const value = { oneTime: [new Uint8Array([1])], lastResort: new Uint8Array([2]) };
  await server.ask(bob, { case: "publishKeyPackages", value }, "keyPackageCount");
  const record = await bob.reset(fresh, inviteKey, await alice.allows(bob.place(), inviteKey));
  await server.ask(undefined, register(serverToken, record), "registered");
  const rooms = { case: "listRooms" as const, value: {} };
  await expect(server.ask(bob, rooms, "roomList")).rejects.toMatchObject(
    refusedWith(ErrorCode.DEVICE_REVOKED),
  );
  await server.ask({ user: bob.user, first: fresh }, rooms, "roomList");
  expect(await world.store.claimKeyPackage(bob.first.id)).toBeUndefined();
  const again = await server.ask(undefined, register(serverToken, record), "registered");
  expect(again.index).toBe(2n);
  const submitted = { case: "submitRecord" as const, value: { record } };
  await expect(
    server.ask({ user: bob.user, first: fresh }, submitted, "recordStored"),
  ).rejects.toMatchObject(refusedWith(ErrorCode.BAD_RECORD));
});
