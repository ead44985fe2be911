import { ErrorCode, fromHex, limits, toHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newDevice, randomBytes, type TestPerson } from "../../../../libs/identity/test/person.ts";
import { ownedWorld, refusedWith, type TestReplica } from "../../test/keyserver-world.ts";

const publish = (oneTime: Uint8Array[], lastResort: Uint8Array = new Uint8Array()) => ({
  case: "publishKeyPackages" as const,
  value: { oneTime, lastResort },
});

function claim(server: TestReplica, by: TestPerson, ...users: readonly TestPerson[]) {
  const value = { users: users.map(({ user }) => fromHex(user)), devices: [] };
  return server.ask(by, { case: "claimKeyPackages", value }, "keyPackageList");
}

const packages = (count: number) => Array.from({ length: count }, () => randomBytes(100));

test("each one-time package is handed out once, whoever claims it at the same time on whichever replica", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start();
  const bob = await world.join(server, alice, "bob");
  const carol = await world.join(server, alice, "carol");
  const published = packages(30);
  await server.ask(bob, publish(published, randomBytes(50)), "keyPackageCount");
  const claims = await Promise.all(
    Array.from({ length: 30 }, (_, at) =>
      claim(at % 2 ? server : other, at % 3 ? alice : carol, bob),
    ),
  );
  const claimed = claims.flatMap((list) => list.packages);
  expect(claimed.every(({ lastResort }) => !lastResort)).toBe(true);
  expect(new Set(claimed.map(({ keyPackage }) => toHex(keyPackage)))).toEqual(
    new Set(published.map(toHex)),
  );
  const last = await claim(server, carol, bob);
  expect(last.packages).toMatchObject([{ lastResort: true }]);
});

test("every device of a person that is not revoked gives one; those that have none are named", async () => {
  const { server, alice } = await ownedWorld();
  const [phone, tablet] = [await newDevice(), await newDevice()];
  const records = [await alice.add(phone), await alice.add(tablet), await alice.revoke(tablet.id)];
  for (const record of records)
    await server.ask(alice, { case: "submitRecord", value: { record } }, "recordStored");
  const [first] = packages(1);
  await server.ask(alice, publish(first ? [first] : []), "keyPackageCount");
  const list = await claim(server, alice, alice);
  expect(list.packages).toMatchObject([
    { user: fromHex(alice.user), device: fromHex(alice.first.id), keyPackage: first },
  ]);
  expect(list.without).toEqual([fromHex(phone.id)]);
});

test("nobody drains somebody's packages: beyond a budget one gets the last resort", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const mallory = await world.join(server, alice, "mallory");
  const lastResort = randomBytes(50);
  await server.ask(bob, publish(packages(50), lastResort), "keyPackageCount");
  for (let i = 0; i < 20; i++)
    expect((await claim(server, mallory, bob)).packages).toMatchObject([{ lastResort: false }]);
  for (let i = 0; i < 5; i++)
    expect((await claim(server, mallory, bob)).packages).toMatchObject([
      { lastResort: true, keyPackage: lastResort },
    ]);
  expect(await world.store.countKeyPackages(bob.first.id)).toBe(30);
  expect((await claim(server, alice, bob)).packages).toMatchObject([{ lastResort: false }]);
  await world.clock.advance(3 * 60 * 1000);
  expect((await claim(server, mallory, bob)).packages).toMatchObject([{ lastResort: false }]);
});

test("beyond the budget, a device without a last resort has none for one", async () => {
  const { world, server, alice } = await ownedWorld({ claimsPerHour: 1 });
  const bob = await world.join(server, alice, "bob");
  await server.ask(bob, publish(packages(2)), "keyPackageCount");
  await claim(server, alice, bob);
  const list = await claim(server, alice, bob);
  expect(list).toMatchObject({ packages: [], without: [fromHex(bob.first.id)] });
});

test("a device keeps so many packages, and hears how many", async () => {
  const { server, alice } = await ownedWorld();
  const most = limits.keyPackagesMax;
  const first = await server.ask(alice, publish(packages(most - 1)), "keyPackageCount");
  expect(first.oneTime).toBe(most - 1);
  const second = await server.ask(alice, publish(packages(5)), "keyPackageCount");
  expect(second.oneTime).toBe(most);
});

test("packages that are too many, too large or empty are refused, all of them", async () => {
  const { world, server, alice } = await ownedWorld();
  const large = randomBytes(limits.keyPackageBytesMax + 1);
  const cases: [Uint8Array[], Uint8Array, ErrorCode][] = [
    [packages(limits.keyPackagesPublishMax + 1), new Uint8Array(), ErrorCode.TOO_LARGE],
    [[...packages(1), large], new Uint8Array(), ErrorCode.TOO_LARGE],
    [packages(1), large, ErrorCode.TOO_LARGE],
    [[...packages(1), new Uint8Array()], randomBytes(5), ErrorCode.BAD_REQUEST],
  ];
  for (const [oneTime, lastResort, code] of cases)
    await expect(
      server.ask(alice, publish(oneTime, lastResort), "keyPackageCount"),
    ).rejects.toMatchObject(refusedWith(code));
  expect(await world.store.claimKeyPackage(alice.first.id)).toBeUndefined();
});

test("packages of nobody, or of too many at once, cannot be claimed", async () => {
  const { server, alice } = await ownedWorld({ claimedDevicesMax: 2 });
  const ask = (users: Uint8Array[], devices: Uint8Array[]) =>
    server.ask(alice, { case: "claimKeyPackages", value: { users, devices } }, "keyPackageList");
  await expect(ask([randomBytes(16)], [])).rejects.toMatchObject(
    refusedWith(ErrorCode.UNKNOWN_USER),
  );
  await expect(ask([], [randomBytes(16)])).rejects.toMatchObject(
    refusedWith(ErrorCode.UNKNOWN_DEVICE),
  );
  await expect(ask([randomBytes(15)], [])).rejects.toMatchObject(
    refusedWith(ErrorCode.BAD_REQUEST),
  );
  const thrice = Array.from({ length: 3 }, () => fromHex(alice.user));
  await expect(ask(thrice, [])).rejects.toMatchObject(refusedWith(ErrorCode.TOO_LARGE));
});

test("a recovery key publishes none, and none is claimed for it", async () => {
  const { server, alice } = await ownedWorld();
  const paper = await newDevice();
  const record = await alice.recovery(paper);
  await server.ask(alice, { case: "submitRecord", value: { record } }, "recordStored");
  const asPaper = { user: alice.user, first: paper };
  await expect(server.ask(asPaper, publish(packages(1)), "keyPackageCount")).rejects.toMatchObject(
    refusedWith(ErrorCode.FORBIDDEN),
  );
  expect((await claim(server, alice, alice)).without).toEqual([fromHex(alice.first.id)]);
  const value = { users: [], devices: [fromHex(paper.id)] };
  await expect(
    server.ask(alice, { case: "claimKeyPackages", value }, "keyPackageList"),
  ).rejects.toMatchObject(refusedWith(ErrorCode.UNKNOWN_DEVICE));
});

test("a new last resort begins anew: nobody gets a package from before", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  await server.ask(bob, publish(packages(5), randomBytes(50)), "keyPackageCount");
  const [fresh] = packages(1);
  const lastResort = randomBytes(50);
  const count = await server.ask(bob, publish(fresh ? [fresh] : [], lastResort), "keyPackageCount");
  expect(count.oneTime).toBe(1);
  const handedOut = [await claim(server, alice, bob), await claim(server, alice, bob)];
  expect(handedOut.flatMap((list) => list.packages.map(({ keyPackage }) => keyPackage))).toEqual([
    fresh,
    lastResort,
  ]);
});
