import { directRoomId, inviteKeys, sha256 } from "@sotto/identity";
import { EnvelopeKind, ErrorCode, fromHex, limits, parseRoomId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { iat, newDevice, randomBytes } from "../../../../libs/identity/test/person.ts";
import { policyOf } from "../../../../libs/identity/test/room.ts";
import { grantOf, ownedWorld, refusedWith } from "../../test/keyserver-world.ts";
import { ServedRoom } from "../../test/test-room.ts";

const invite = (value: {
  tokenHash?: Uint8Array;
  uses?: number;
  expiresAtMs?: bigint;
  grant?: Uint8Array;
}) => ({
  case: "createInvite" as const,
  value: { tokenHash: randomBytes(32), uses: 1, ...value },
});

test("members of a room see its grants, newest first, and nobody else does", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const room = await ServedRoom.begun(server, alice);
  const rooms = [room.room];
  const list = { case: "listGrants" as const, value: { rooms: rooms.map((id) => fromHex(id)) } };
  const older = await world.invite(server, alice, { rooms });
  await world.clock.advance(10);
  const newer = await world.invite(server, alice, { rooms });
  const expected = [await grantOf(alice, newer, { rooms }), await grantOf(alice, older, { rooms })];
  expect((await server.ask(alice, list, "grantList")).grants).toEqual(expected);
  expect((await server.ask(bob, list, "grantList")).grants).toEqual([]);
  const other = await ServedRoom.begun(server, bob);
  const elsewhere = { ...list, value: { rooms: [fromHex(other.room)] } };
  expect((await server.ask(bob, elsewhere, "grantList")).grants).toEqual([]);
});

test("a grant of another replica is told as soon as its hint comes, or a moment later", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start();
  const room = await ServedRoom.begun(server, alice);
  const list = { case: "listGrants" as const, value: { rooms: [fromHex(room.room)] } };
  expect((await other.ask(alice, list, "grantList")).grants).toEqual([]);
  await world.invite(server, alice, { rooms: [room.room] });
  await world.clock.advance(2000);
  expect((await other.ask(alice, list, "grantList")).grants).toHaveLength(1);
  const same = await world.start({ bus: other.bus });
  await world.invite(same, alice, { rooms: [room.room] });
  for (let i = 0; i < 3; i++)
    expect((await same.ask(alice, list, "grantList")).grants).toHaveLength(2);
});

test("a grant outlives its invite's expiry, for newcomers who still wait, and not for ever", async () => {
  const { world, server, alice } = await ownedWorld();
  const room = await ServedRoom.begun(server, alice);
  await world.invite(server, alice, { rooms: [room.room], expiresAt: iat + 1000 });
  const list = { case: "listGrants" as const, value: { rooms: [fromHex(room.room)] } };
  const dayMs = 24 * 3600 * 1000;
  await world.clock.advance(29 * dayMs);
  expect((await server.ask(alice, list, "grantList")).grants).toHaveLength(1);
  await world.clock.advance(2 * dayMs);
  expect((await server.ask(alice, list, "grantList")).grants).toHaveLength(0);
});

test("an invite that could not work is refused", async () => {
  const { world, server, alice } = await ownedWorld();
  const known = await world.invite(server, alice);
  const cases: [Parameters<typeof invite>[0], ErrorCode][] = [
    [{ tokenHash: randomBytes(31) }, ErrorCode.BAD_REQUEST],
    [{ tokenHash: await sha256(known.serverToken) }, ErrorCode.BAD_REQUEST],
    [{ uses: 0 }, ErrorCode.BAD_REQUEST],
    [{ uses: limits.inviteUsesMax + 1 }, ErrorCode.BAD_REQUEST],
    [{ expiresAtMs: 2n ** 60n }, ErrorCode.BAD_REQUEST],
    [{ grant: randomBytes(100) }, ErrorCode.BAD_REQUEST],
    [{ grant: randomBytes(4097) }, ErrorCode.TOO_LARGE],
  ];
  for (const [value, code] of cases)
    await expect(server.ask(alice, invite(value), "inviteCreated")).rejects.toMatchObject(
      refusedWith(code),
    );
});

test("a grant is the calling device's own, for rooms that its user is in", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const room = await ServedRoom.begun(server, alice);
  const keys = await inviteKeys(randomBytes(32));
  const rooms = [room.room];
  const ask = async (grant: Promise<Uint8Array>) =>
    server.ask(bob, invite({ grant: await grant }), "inviteCreated");
  const refused = (code: ErrorCode) => expect.objectContaining(refusedWith(code));
  const asAlice = { inviter: { user: alice.user, device: bob.first.id } };
  const unknown = { inviter: { user: bob.user, device: (await newDevice()).id } };
  await expect(ask(grantOf(alice, keys, { rooms }))).rejects.toEqual(
    refused(ErrorCode.BAD_REQUEST),
  );
  await expect(ask(grantOf(bob, keys, { rooms, ...asAlice }))).rejects.toEqual(
    refused(ErrorCode.BAD_REQUEST),
  );
  await expect(ask(grantOf(bob, keys, { rooms, ...unknown }))).rejects.toEqual(
    refused(ErrorCode.BAD_REQUEST),
  );
  await expect(ask(grantOf(bob, keys, { rooms }, alice.first.signer))).rejects.toEqual(
    refused(ErrorCode.BAD_REQUEST),
  );
  await expect(ask(grantOf(bob, keys, { rooms }))).rejects.toEqual(refused(ErrorCode.NOT_A_MEMBER));
  await expect(ask(grantOf(bob, keys, { rooms: [parseRoomId(randomBytes(16))] }))).rejects.toEqual(
    refused(ErrorCode.NOT_A_MEMBER),
  );
  const many = Array.from({ length: 65 }, () => parseRoomId(randomBytes(16)));
  await expect(ask(grantOf(bob, keys, { rooms: many }))).rejects.toEqual(
    refused(ErrorCode.TOO_LARGE),
  );
});

test("nobody is let into a conversation of two", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const direct = [alice.user, bob.user].sort();
  const room = new ServedRoom(await directRoomId(alice.user, bob.user));
  await room.commit(server, {
    kind: EnvelopeKind.CREATE,
    by: alice,
    direct,
    policy: policyOf(...direct),
  });
  await expect(world.invite(server, alice, { rooms: [room.room] })).rejects.toMatchObject(
    refusedWith(ErrorCode.FORBIDDEN),
  );
});

test("invites in an hour are limited for each person", async () => {
  const { world, server, alice } = await ownedWorld({ invitesPerHour: 2 });
  await world.invite(server, alice);
  await world.invite(server, alice);
  await expect(world.invite(server, alice)).rejects.toMatchObject({
    ...refusedWith(ErrorCode.RATE_LIMITED),
    retryAfterMs: 60_000,
  });
  await world.clock.advance(30 * 60 * 1000);
  await world.invite(server, alice);
});
