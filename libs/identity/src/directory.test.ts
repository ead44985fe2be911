import { foldName, parseDeviceId } from "@sotto/protocol";
import { expect, test } from "vitest";
import { readJws, replaced, signJws } from "../test/jws.ts";
import {
  hexOf,
  iat,
  newDevice,
  newSigner,
  randomBytes,
  signs,
  TestPerson,
} from "../test/person.ts";
import { sha256Hex } from "./digest.ts";
import { Directory } from "./directory.ts";
import { addDeviceRecord, createUserRecord, revokeDeviceRecord } from "./write-record.ts";

/** Refused with `code`, and nothing of it stays. */
async function refuses(directory: Directory, record: Uint8Array, code: string): Promise<void> {
  const before = { ...(await directory.head()), users: directory.users() };
  await expect(directory.apply(record)).rejects.toMatchObject({ name: "RecordError", code });
  expect({ ...(await directory.head()), users: directory.users() }).toEqual(before);
}

async function withAlice() {
  const directory = new Directory();
  const alice = await TestPerson.named("alice");
  await directory.apply(await alice.create());
  return { directory, alice };
}

test("the fold says who is who, with which keys, since which record", async () => {
  const { directory, alice } = await withAlice();
  const bob = await TestPerson.named("bob");
  const phone = await newDevice();
  const created = await bob.create();
  const added = await alice.add(phone);
  await directory.apply(created);
  await directory.apply(added);
  expect(directory.size).toBe(3);
  expect(directory.owner).toBe(alice.user);
  expect(directory.users().map(({ name }) => name)).toEqual(["alice", "bob"]);
  expect(directory.userByName(foldName("BOB"))?.id).toBe(bob.user);
  expect(directory.user(alice.user)).toMatchObject({
    createdAt: iat,
    chain: [expect.any(String), await sha256Hex(added)],
    devices: [{ id: alice.first.id }, { id: phone.id }],
    invite: { key: alice.invite.publicKey },
  });
  const { id, name, ...keys } = phone.description;
  expect(directory.device(phone.id)).toEqual({
    id,
    name,
    keys,
    user: alice.user,
    kind: "device",
    addedAt: 2,
    recordHash: await sha256Hex(added),
    revokedAt: undefined,
  });
  expect(directory.indexOf(await sha256Hex(created))).toBe(1);
  expect(directory.indexOf("00".repeat(32))).toBeUndefined();
});

test("a device is judged as the directory was: not before it was added, not revoked before it was", async () => {
  const { directory, alice } = await withAlice();
  const phone = await newDevice();
  await directory.apply(await alice.add(phone));
  await directory.apply(await alice.revoke(phone.id));
  expect(directory.deviceAsOf(phone.id, 1)).toBeUndefined();
  expect(directory.deviceAsOf(phone.id, 2)).toMatchObject({ revokedAt: undefined });
  expect(directory.deviceAsOf(phone.id, 3)).toMatchObject({ revokedAt: 2 });
  expect(directory.device(phone.id)?.revokedAt).toBe(2);
});

test("revocations are told from an index on", async () => {
  const { directory, alice } = await withAlice();
  const [phone, tablet] = [await newDevice(), await newDevice()];
  for (const device of [phone, tablet]) await directory.apply(await alice.add(device));
  for (const device of [tablet, phone]) await directory.apply(await alice.revoke(device.id));
  const since = (index: number) => directory.revokedSince(index).map(({ id }) => id);
  expect(since(0)).toEqual([tablet.id, phone.id]);
  expect(since(3)).toEqual([tablet.id, phone.id]);
  expect(since(4)).toEqual([phone.id]);
  expect(since(5)).toEqual([]);
});

test("a name is claimed once, for ever", async () => {
  const { directory } = await withAlice();
  await refuses(directory, await (await TestPerson.named("alice")).create(), "NAME_TAKEN");
});

test("a user is created once, and nothing of it replayed", async () => {
  const directory = new Directory();
  const alice = await TestPerson.named("alice");
  const record = await alice.create();
  await directory.apply(record);
  await refuses(directory, record, "CHAIN");
});

test("a first record must begin its chain", async () => {
  const alice = await TestPerson.named("alice");
  const { header, payload } = readJws(await alice.create());
  for (const begin of [{ seq: 1 }, { prev: "00".repeat(32) }]) {
    const record = await signJws(header, { ...payload, ...begin }, alice.first.signer);
    await refuses(new Directory(), record, "CHAIN");
  }
});

test("a chain has no gap, no fork and no record of another user's", async () => {
  const { directory, alice } = await withAlice();
  const bob = await TestPerson.named("bob");
  await directory.apply(await bob.create());
  const phone = await newDevice();
  const place = alice.place();
  const by = signs(alice.first);
  const at = (change: Partial<typeof place>) =>
    addDeviceRecord({ ...place, ...change }, phone.description, phone.signer, by);
  await refuses(directory, await at({ seq: 2 }), "CHAIN");
  await refuses(directory, await at({ seq: 0 }), "CHAIN");
  await refuses(directory, await at({ prev: "" }), "CHAIN");
  await refuses(directory, await at({ prev: bob.place().prev }), "CHAIN");
  const stranger = await TestPerson.named("mallory");
  await refuses(directory, await at({ user: stranger.user }), "CHAIN");
  await refuses(directory, await at({ user: bob.user, prev: bob.place().prev }), "SIGNATURE");
  await directory.apply(await at({}));
  const fork = await revokeDeviceRecord(place, phone.id, by);
  await refuses(directory, fork, "CHAIN");
});

test("only a device of the chain signs for it, with its signing key", async () => {
  const { directory, alice } = await withAlice();
  const bob = await TestPerson.named("bob");
  await directory.apply(await bob.create());
  const phone = await newDevice();
  const add = (device: typeof alice.first.id, signer: typeof alice.first.signer) =>
    addDeviceRecord(alice.place(), phone.description, phone.signer, { device, signer });
  await refuses(directory, await add(bob.first.id, bob.first.signer), "SIGNATURE");
  await refuses(directory, await add(alice.first.id, bob.first.signer), "SIGNATURE");
  await refuses(directory, await add(phone.id, phone.signer), "SIGNATURE");
  await refuses(directory, await add(parseDeviceId(randomBytes(16)), phone.signer), "SIGNATURE");
});

test("no device signs as another one of the same person", async () => {
  const { directory, alice } = await withAlice();
  const phone = await newDevice();
  await directory.apply(await alice.add(phone));
  const tablet = await newDevice();
  const add = (signer: typeof phone.signer) => {
    const by = { device: phone.id, signer };
    return addDeviceRecord(alice.place(), tablet.description, tablet.signer, by);
  };
  await refuses(directory, await add(alice.first.signer), "SIGNATURE");
  await directory.apply(await add(phone.signer));
  expect(directory.device(tablet.id)?.user).toBe(alice.user);
});

test("a revoked device signs nothing any more, and is revoked once", async () => {
  const { directory, alice } = await withAlice();
  const phone = await newDevice();
  await directory.apply(await alice.add(phone));
  await directory.apply(await alice.revoke(phone.id));
  const place = alice.place();
  const tablet = await newDevice();
  const added = await addDeviceRecord(place, tablet.description, tablet.signer, signs(phone));
  await refuses(directory, added, "REVOKED");
  const revoked = await revokeDeviceRecord(place, alice.first.id, signs(phone));
  await refuses(directory, revoked, "REVOKED");
  const again = await revokeDeviceRecord(place, phone.id, signs(alice.first));
  await refuses(directory, again, "REVOKED");
});

test("of two devices that revoke each other, the first in the log wins", async () => {
  const { directory, alice } = await withAlice();
  const phone = await newDevice();
  await directory.apply(await alice.add(phone));
  const place = alice.place();
  const byLaptop = await revokeDeviceRecord(place, phone.id, signs(alice.first));
  const byPhone = await revokeDeviceRecord(place, alice.first.id, signs(phone));
  await directory.apply(byPhone);
  await refuses(directory, byLaptop, "CHAIN");
  const prev = directory.user(alice.user)?.chain.at(-1) ?? "";
  const answer = await revokeDeviceRecord(
    { ...place, seq: place.seq + 1, prev },
    phone.id,
    signs(alice.first),
  );
  await refuses(directory, answer, "REVOKED");
  expect(directory.device(phone.id)?.revokedAt).toBeUndefined();
});

test("somebody else's device, or one that is not there, cannot be revoked", async () => {
  const { directory, alice } = await withAlice();
  const bob = await TestPerson.named("bob");
  await directory.apply(await bob.create());
  const by = signs(alice.first);
  for (const device of [bob.first.id, parseDeviceId(randomBytes(16))])
    await refuses(directory, await revokeDeviceRecord(alice.place(), device, by), "CHAIN");
});

test("a device belongs to one person, and is added once", async () => {
  const { directory, alice } = await withAlice();
  const twin = { ...(await newDevice()).description, id: alice.first.id };
  const signer = await newSigner();
  const record = await addDeviceRecord(
    alice.place(),
    { ...twin, sign: signer.publicKey },
    signer,
    signs(alice.first),
  );
  await refuses(directory, record, "CHAIN");
});

test("a device is not added against its will: it has to sign the record itself", async () => {
  const { directory, alice } = await withAlice();
  const phone = await newDevice();
  const by = signs(alice.first);
  const forged = await addDeviceRecord(alice.place(), phone.description, alice.first.signer, by);
  await refuses(directory, forged, "SIGNATURE");
  const meant = await addDeviceRecord(
    { ...alice.place(), at: iat + 1 },
    phone.description,
    phone.signer,
    by,
  );
  const { header, payload } = readJws(meant);
  const moved = replaced(payload, ["iat"], () => iat);
  await refuses(directory, await signJws(header, moved, alice.first.signer), "SIGNATURE");
});

test("an account comes with an invite's proof for this very user, device and keys", async () => {
  const mallory = await TestPerson.named("mallory");
  const victim = await TestPerson.named("victim");
  const { payload } = readJws(await victim.create());
  const { key, proof } = payload["invite"] as { key: string; proof: string };
  const own = readJws(await mallory.create());
  const stolen = { ...own.payload, invite: { key, proof } };
  await refuses(
    new Directory(),
    await signJws(own.header, stolen, mallory.first.signer),
    "SIGNATURE",
  );
});

test("a key serves one purpose only", async () => {
  const alice = await TestPerson.named("alice");
  const { description, signer } = alice.first;
  for (const twin of [{ auth: description.sign }, { mls: description.sign }]) {
    const record = await createUserRecord({
      user: alice.user,
      name: "alice",
      at: iat,
      device: { ...description, ...twin },
      invite: { key: randomBytes(32), proof: randomBytes(64) },
      signer,
    });
    await refuses(new Directory(), record, "MALFORMED");
  }
});

test("two orders of the same records are two directories with two roots", async () => {
  const people = await Promise.all(["alice", "bob"].map((name) => TestPerson.named(name)));
  const records = await Promise.all(people.map((person) => person.create()));
  const [one, other] = [new Directory(), new Directory()];
  for (const record of records) await one.apply(record);
  for (const record of records.toReversed()) await other.apply(record);
  expect(one.size).toBe(other.size);
  expect(hexOf(await one.root())).not.toBe(hexOf(await other.root()));
});

test("a root belongs to the size that it is told with, whenever it is asked for", async () => {
  const directory = new Directory();
  const roots = new Map<number, string>();
  for (const name of ["a", "b", "c", "d"]) {
    const applied = directory.apply(await (await TestPerson.named(name)).create());
    let over = false;
    void applied.then(() => {
      over = true;
    });
    while (!over) {
      // Hashes are computed elsewhere: they arrive in a later turn.
      await new Promise(setImmediate);
      const { size, root } = await directory.head();
      expect(hexOf(root)).toBe(roots.get(size) ?? hexOf(root));
      roots.set(size, hexOf(root));
      expect(directory.users().length).toBe(directory.size);
    }
    await applied;
  }
  roots.set(4, hexOf(await directory.root()));
  expect([...roots.keys()]).toEqual([0, 1, 2, 3, 4]);
  expect(new Set(roots.values()).size).toBe(5);
});

test("a check is worth nothing once another record was taken in", async () => {
  const directory = new Directory();
  const [alice, bob] = [await TestPerson.named("alice"), await TestPerson.named("bob")];
  const late = await directory.check(await bob.create());
  await directory.apply(await alice.create());
  await expect(directory.take(late)).rejects.toThrow(RangeError);
  expect(directory.users()).toHaveLength(1);
});
