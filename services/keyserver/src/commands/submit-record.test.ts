import { addDeviceRecord } from "@sotto/identity";
import { ErrorCode, fromHex, limits } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newDevice, signs, TestPerson } from "../../../../libs/identity/test/person.ts";
import { ownedWorld, refusedWith } from "../../test/keyserver-world.ts";

const submit = (record: Uint8Array) => ({ case: "submitRecord" as const, value: { record } });

test("a person adds a device, which is known to every replica, and revokes it", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start();
  const phone = await newDevice();
  const added = await server.ask(alice, submit(await alice.add(phone)), "recordStored");
  expect(added.index).toBe(1n);
  const asPhone = { user: alice.user, first: phone };
  await other.ask(asPhone, { case: "listRooms", value: {} }, "roomList");
  const revoked = await other.ask(alice, submit(await alice.revoke(phone.id)), "recordStored");
  expect(revoked.index).toBe(2n);
  await expect(
    other.ask(asPhone, { case: "listRooms", value: {} }, "roomList"),
  ).rejects.toMatchObject(refusedWith(ErrorCode.DEVICE_REVOKED));
});

test("a revoked device's KeyPackages are gone", async () => {
  const { world, server, alice } = await ownedWorld();
  const phone = await newDevice();
  await server.ask(alice, submit(await alice.add(phone)), "recordStored");
  const value = { oneTime: [new Uint8Array([1])], lastResort: new Uint8Array([2]) };
  const asPhone = { user: alice.user, first: phone };
  await server.ask(asPhone, { case: "publishKeyPackages", value }, "keyPackageCount");
  await server.ask(alice, submit(await alice.revoke(phone.id)), "recordStored");
  expect(await world.store.claimKeyPackage(phone.id)).toBeUndefined();
  const claim = { users: [], devices: [fromHex(phone.id)] };
  const list = await server.ask(
    alice,
    { case: "claimKeyPackages", value: claim },
    "keyPackageList",
  );
  expect(list).toMatchObject({ packages: [], without: [] });
});

test("the paper puts a device in another's place where there are as many as there may be", async () => {
  const { server, alice } = await ownedWorld();
  const paper = await newDevice();
  await server.ask(alice, submit(await alice.recovery(paper)), "recordStored");
  const phone = await newDevice();
  await server.ask(alice, submit(await alice.add(phone)), "recordStored");
  for (let count = 2; count < limits.devicesPerUserMax; count++)
    await server.ask(alice, submit(await alice.add(await newDevice())), "recordStored");
  const asPaper = { user: alice.user, first: paper };
  const fresh = await newDevice();
  const place = alice.place();
  const plain = server.ask(asPaper, submit(await alice.add(fresh, paper)), "recordStored");
  await expect(plain).rejects.toMatchObject(refusedWith(ErrorCode.TOO_MANY_DEVICES));
  alice.back(place);
  const byPhone = await alice.add(fresh, phone, alice.first.id);
  await expect(
    server.ask({ user: alice.user, first: phone }, submit(byPhone), "recordStored"),
  ).rejects.toMatchObject(refusedWith(ErrorCode.BAD_SIGNATURE));
  alice.back(place);
  await server.ask(asPaper, submit(await alice.add(fresh, paper, phone.id)), "recordStored");
  const rooms = { case: "listRooms" as const, value: {} };
  await server.ask({ user: alice.user, first: fresh }, rooms, "roomList");
  await expect(
    server.ask({ user: alice.user, first: phone }, rooms, "roomList"),
  ).rejects.toMatchObject(refusedWith(ErrorCode.DEVICE_REVOKED));
});

test("only one's own chain can be continued, by records that continue it", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const place = alice.place();
  const phone = await newDevice();
  const record = await alice.add(phone);
  await expect(server.ask(bob, submit(record), "recordStored")).rejects.toMatchObject(
    refusedWith(ErrorCode.FORBIDDEN),
  );
  const gap = { ...place, seq: place.seq + 1 };
  const cases: [Uint8Array, ErrorCode][] = [
    [await (await TestPerson.named("carol")).create(), ErrorCode.BAD_RECORD],
    [new Uint8Array([1, 2, 3]), ErrorCode.BAD_RECORD],
    [
      await addDeviceRecord(gap, phone.description, phone.signer, signs(alice.first)),
      ErrorCode.CHAIN_CONFLICT,
    ],
    [
      await addDeviceRecord(place, phone.description, phone.signer, signs(phone)),
      ErrorCode.BAD_SIGNATURE,
    ],
  ];
  for (const [bad, code] of cases)
    await expect(server.ask(alice, submit(bad), "recordStored")).rejects.toMatchObject(
      refusedWith(code),
    );
  await server.ask(alice, submit(record), "recordStored");
});

test("of two records for one place in a chain the first wins; sent again, it stands where it stood", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start();
  const place = alice.place();
  const [phone, tablet] = [await newDevice(), await newDevice()];
  const by = signs(alice.first);
  const records = [
    await addDeviceRecord(place, phone.description, phone.signer, by),
    await addDeviceRecord(place, tablet.description, tablet.signer, by),
  ] as const;
  const results = await Promise.allSettled([
    server.ask(alice, submit(records[0]), "recordStored"),
    other.ask(alice, submit(records[1]), "recordStored"),
  ]);
  expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const lost = results.find((result) => result.status === "rejected");
  expect(lost?.reason).toMatchObject(refusedWith(ErrorCode.CHAIN_CONFLICT));
  const winner = results[0].status === "fulfilled" ? records[0] : records[1];
  for (const replica of [server, other])
    expect(await replica.ask(alice, submit(winner), "recordStored")).toMatchObject({ index: 1n });
});

test("records in an hour are limited for each person", async () => {
  const { world, server, alice } = await ownedWorld({ recordsPerHour: 3 });
  const bob = await world.join(server, alice, "bob");
  for (let i = 0; i < 3; i++)
    await server.ask(alice, submit(await alice.add(await newDevice())), "recordStored");
  const next = submit(await alice.add(await newDevice()));
  await expect(server.ask(alice, next, "recordStored")).rejects.toMatchObject(
    refusedWith(ErrorCode.RATE_LIMITED),
  );
  await server.ask(bob, submit(await bob.add(await newDevice())), "recordStored");
  await world.clock.advance(20 * 60 * 1000);
  await server.ask(alice, next, "recordStored");
});
