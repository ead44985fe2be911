import { DirectoryStoreError } from "@sotto/directory";
import { ErrorCode } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newDevice, randomBytes } from "../../../libs/identity/test/person.ts";
import { ownedWorld, refusedWith, withMethods } from "../test/keyserver-world.ts";

const list = { case: "listRooms" as const, value: {} };

test("nobody but a device of the directory, under its own user, is answered", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const ask = (caller?: Parameters<typeof server.ask>[0]) => server.ask(caller, list, "roomList");
  await expect(ask()).rejects.toMatchObject(refusedWith(ErrorCode.NOT_AUTHENTICATED));
  const strangers = [
    { user: alice.user, first: await newDevice() },
    { user: alice.user, first: bob.first },
  ];
  for (const stranger of strangers)
    await expect(ask(stranger)).rejects.toMatchObject(refusedWith(ErrorCode.UNKNOWN_DEVICE));
  expect(await ask(bob)).toMatchObject({ rooms: [] });
});

test("a device that was revoked through another replica is refused at once by the one it asks", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start({ bus: server.bus });
  const phone = await newDevice();
  for (const record of [await alice.add(phone), await alice.revoke(phone.id)])
    await server.ask(alice, { case: "submitRecord", value: { record } }, "recordStored");
  const asPhone = { user: alice.user, first: phone };
  for (const replica of [server, other, server, other])
    await expect(replica.ask(asPhone, list, "roomList")).rejects.toMatchObject(
      refusedWith(ErrorCode.DEVICE_REVOKED),
    );
});

test("requests that are not the keyserver's are told so", async () => {
  const { server, alice } = await ownedWorld();
  const room = randomBytes(16);
  const append = { room, id: randomBytes(16), handshake: 1n, sealed: new Uint8Array() };
  for (const body of [
    { case: "append" as const, value: append },
    { case: "listObjects" as const, value: { room } },
  ])
    await expect(server.ask(alice, body, "done")).rejects.toMatchObject(
      refusedWith(ErrorCode.UNKNOWN_REQUEST),
    );
});

test("malformed identifiers and numbers beyond 2^53 are bad requests, and the server lives", async () => {
  const { server, alice } = await ownedWorld();
  for (const body of [
    { case: "getRoster" as const, value: { room: randomBytes(5) } },
    { case: "commit" as const, value: { room: new Uint8Array() } },
    { case: "listGrants" as const, value: { rooms: [randomBytes(3)] } },
    { case: "readDirectory" as const, value: { from: 2n ** 64n - 1n } },
  ])
    await expect(server.ask(alice, body, "done")).rejects.toMatchObject(
      refusedWith(ErrorCode.BAD_REQUEST),
    );
  await server.ask(alice, list, "roomList");
});

test.each([
  ["FULL", ErrorCode.STORAGE_FULL],
  ["UNAVAILABLE", ErrorCode.UNAVAILABLE],
  ["CORRUPT", ErrorCode.INTERNAL],
] as const)("a store that is %s is told as such", async (code, expected) => {
  const { world, alice } = await ownedWorld();
  const store = withMethods(world.store, {
    countKeyPackages: () => Promise.reject(new DirectoryStoreError(code, "it failed")),
  });
  const server = await world.start({ store });
  const value = { oneTime: [randomBytes(10)], lastResort: new Uint8Array() };
  await expect(
    server.ask(alice, { case: "publishKeyPackages", value }, "keyPackageCount"),
  ).rejects.toMatchObject(refusedWith(expected));
});
