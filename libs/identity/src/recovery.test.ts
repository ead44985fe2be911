import { limits } from "@sotto/protocol";
import { expect, test } from "vitest";
import { readJws, signJws } from "../test/jws.ts";
import {
  hexOf,
  iat,
  newDevice,
  newSigner,
  signs,
  type TestDevice,
  TestPerson,
} from "../test/person.ts";
import { Directory, standingDevices } from "./directory.ts";
import { addDeviceRecord, recoverySetRecord, revokeDeviceRecord } from "./write-record.ts";

async function refuses(directory: Directory, record: Uint8Array, code: string): Promise<void> {
  const before = { ...(await directory.head()), users: directory.users() };
  await expect(directory.apply(record)).rejects.toMatchObject({ name: "RecordError", code });
  expect({ ...(await directory.head()), users: directory.users() }).toEqual(before);
}

/** Alice with a phone and a recovery phrase. */
async function withPaper() {
  const directory = new Directory();
  const alice = await TestPerson.named("alice");
  const [phone, paper] = [await newDevice(), await newDevice()];
  await directory.apply(await alice.create());
  await directory.apply(await alice.add(phone));
  await directory.apply(await alice.recovery(paper));
  return { directory, alice, phone, paper };
}

function revoke(alice: TestPerson, device: TestDevice, by: TestDevice) {
  return revokeDeviceRecord(alice.place(), device.id, signs(by));
}

test("a recovery key is known as one, is no leaf, and signs records", async () => {
  const { directory, alice, phone, paper } = await withPaper();
  const user = directory.user(alice.user);
  expect(directory.device(paper.id)).toMatchObject({ kind: "recovery", addedAt: 2 });
  expect(standingDevices(user).map(({ id }) => id)).toEqual([alice.first.id, phone.id]);
  expect(directory.leafAsOf(paper.id, 3)).toBeUndefined();
  expect(directory.leafAsOf(phone.id, 3)?.id).toBe(phone.id);
  const fresh = await newDevice();
  await directory.apply(await alice.add(fresh, paper));
  await directory.apply(await alice.revoke(alice.first.id, paper));
  const left = standingDevices(directory.user(alice.user)).map(({ id }) => id);
  expect(left).toEqual([phone.id, fresh.id]);
});

test("the key must have signed that it belongs to the chain", async () => {
  const { directory, alice } = await withPaper();
  const stolen = await newDevice();
  const by = signs(alice.first);
  const { signer } = alice.first;
  await refuses(
    directory,
    await recoverySetRecord(alice.place(), stolen.description, signer, by),
    "SIGNATURE",
  );
  // Its word to be a device is no word to be a recovery key.
  const { header, payload } = readJws(
    await addDeviceRecord(alice.place(), stolen.description, stolen.signer, by),
  );
  const turned = await signJws(header, { ...payload, typ: "recovery-set" }, signer);
  await refuses(directory, turned, "SIGNATURE");
});

test("a device cannot revoke a recovery key, and neither can a younger key", async () => {
  const { directory, alice, phone, paper } = await withPaper();
  const thief = await newDevice();
  await directory.apply(await alice.recovery(thief, phone));
  await refuses(directory, await revoke(alice, paper, phone), "SIGNATURE");
  await refuses(directory, await revoke(alice, paper, thief), "SIGNATURE");
  await directory.apply(await alice.revoke(thief.id, paper));
  await directory.apply(await alice.revoke(paper.id, paper));
  expect(directory.device(paper.id)?.revokedAt).toBe(5);
});

test("set by a recovery key, a new one takes its place and that of all younger ones", async () => {
  const { directory, alice, phone, paper } = await withPaper();
  const [thief, second, fresh] = [await newDevice(), await newDevice(), await newDevice()];
  await directory.apply(await alice.recovery(thief, phone));
  await directory.apply(await alice.recovery(second, thief));
  expect(directory.device(thief.id)?.revokedAt).toBe(4);
  expect(directory.device(paper.id)?.revokedAt).toBeUndefined();
  const change = await directory.apply(await alice.recovery(fresh, paper));
  expect(change).toMatchObject({
    change: "recovery-set",
    device: fresh.id,
    revoked: [paper.id, second.id],
    by: { kind: "recovery", device: paper.id },
  });
  expect(directory.revokedSince(5).map(({ id }) => id)).toEqual([paper.id, second.id]);
  const again = await recoverySetRecord(
    alice.place(),
    (await newDevice()).description,
    await newSigner(),
    signs(second),
  );
  await refuses(directory, again, "REVOKED");
});

test("devices fill the places for recovery keys, and the oldest key still has one", async () => {
  const { directory, alice, phone, paper } = await withPaper();
  for (let key = 1; key < limits.recoveryKeysMax; key++)
    await directory.apply(await alice.recovery(await newDevice(), phone));
  const more = await newDevice();
  const place = alice.place();
  const record = await recoverySetRecord(place, more.description, more.signer, signs(phone));
  await refuses(directory, record, "TOO_MANY");
  await directory.apply(await alice.recovery(more, paper));
  const keys = (directory.user(alice.user)?.devices ?? []).filter(
    ({ kind, revokedAt }) => kind === "recovery" && revokedAt === undefined,
  );
  expect(keys.map(({ id }) => id)).toEqual([more.id]);
});

test("a user has so many devices, revoked ones and recovery keys not counted", async () => {
  const { directory, alice, phone } = await withPaper();
  await directory.apply(await alice.revoke(phone.id));
  for (let count = 1; count < limits.devicesPerUserMax; count++)
    await directory.apply(await alice.add(await newDevice()));
  const more = await newDevice();
  const place = alice.place();
  const record = await addDeviceRecord(place, more.description, more.signer, signs(alice.first));
  await refuses(directory, record, "TOO_MANY");
});

/** Alice with as many devices as there may be, of which a thief has one, and what the thief did with it. */
async function full() {
  const world = await withPaper();
  const { directory, alice, phone } = world;
  const thief = await newDevice();
  await directory.apply(await alice.recovery(thief, phone));
  while (standingDevices(directory.user(alice.user)).length < limits.devicesPerUserMax)
    await directory.apply(await alice.add(await newDevice(), phone));
  return { ...world, thief };
}

test("the paper puts a device in another's place in one record, and is never shut out", async () => {
  const { directory, alice, phone, paper, thief } = await full();
  const fresh = await newDevice();
  const place = alice.place();
  await refuses(directory, await alice.add(fresh, paper), "TOO_MANY");
  alice.back(place);
  const change = await directory.apply(await alice.add(fresh, paper, phone.id));
  expect(change).toMatchObject({
    change: "device-added",
    device: fresh.id,
    revoked: [phone.id],
    by: { kind: "recovery", device: paper.id },
  });
  expect(directory.device(phone.id)?.revokedAt).toBe(change.index);
  const standing = standingDevices(directory.user(alice.user)).map(({ id }) => id);
  expect(standing).toHaveLength(limits.devicesPerUserMax);
  expect(standing).toContain(fresh.id);
  expect(standing).not.toContain(phone.id);
  // Who stole the phone and set words of their own can do the same, and the paper once more.
  await directory.apply(await alice.add(await newDevice(), thief, fresh.id));
  await directory.apply(await alice.add(await newDevice(), paper, alice.first.id));
  await directory.apply(await alice.recovery(await newDevice(), paper));
  await refuses(directory, await revoke(alice, alice.first, thief), "REVOKED");
});

test("another's place is taken by a recovery key only, and only a device's own place", async () => {
  const { directory, alice, phone, paper, thief } = await full();
  const bob = await TestPerson.named("bob");
  await directory.apply(await bob.create());
  const gone = await newDevice();
  const place = alice.place();
  const refused: [TestDevice, TestDevice["id"], string][] = [
    [phone, alice.first.id, "SIGNATURE"],
    [paper, bob.first.id, "CHAIN"],
    [paper, gone.id, "CHAIN"],
    [paper, thief.id, "CHAIN"],
    [paper, paper.id, "CHAIN"],
  ];
  for (const [by, replaced, code] of refused) {
    await refuses(directory, await alice.add(await newDevice(), by, replaced), code);
    alice.back(place);
  }
  // The new device's word is for this very change, and no other.
  const fresh = await newDevice();
  const honest = readJws(await alice.add(fresh, paper, phone.id));
  const payload = { ...honest.payload, replaces: alice.first.id };
  await refuses(directory, await signJws(honest.header, payload, paper.signer), "SIGNATURE");
  alice.back(place);
  await directory.apply(await alice.revoke(phone.id));
  await refuses(directory, await alice.add(await newDevice(), paper, phone.id), "REVOKED");
});

/** An owner, and bob who lost everything. */
async function lost() {
  const directory = new Directory();
  const [owner, bob] = [await TestPerson.named("owner"), await TestPerson.named("bob")];
  const [phone, paper, fresh] = [await newDevice(), await newDevice(), await newDevice()];
  await directory.apply(await owner.create());
  await directory.apply(await bob.create());
  await directory.apply(await bob.add(phone));
  await directory.apply(await bob.recovery(paper));
  return { directory, owner, bob, phone, paper, fresh, invite: await newSigner() };
}

test("an identity begins anew by the owner's word, and everything before it is revoked", async () => {
  const { directory, owner, bob, phone, paper, fresh, invite } = await lost();
  const start = directory.user(bob.user)?.identityStart;
  const change = await directory.apply(
    await bob.reset(fresh, invite, await owner.allows(bob.place(), invite)),
  );
  expect(change).toEqual({
    user: bob.user,
    change: "identity-reset",
    device: fresh.id,
    revoked: [bob.first.id, phone.id, paper.id],
    by: { kind: "owner", device: owner.first.id },
    index: 4,
  });
  const user = directory.user(bob.user);
  expect(user?.identityStart).toBe(user?.chain[3]);
  expect(user?.identityStart).not.toBe(start);
  expect(hexOf(user?.invite.key ?? new Uint8Array())).toBe(hexOf(invite.publicKey));
  expect(standingDevices(user).map(({ id }) => id)).toEqual([fresh.id]);
  await refuses(directory, await revoke(bob, fresh, paper), "REVOKED");
  await directory.apply(await bob.add(await newDevice(), fresh));
});

test("without the owner's word for this very user and invite nothing begins anew", async () => {
  const { directory, owner, bob, fresh, invite } = await lost();
  const place = bob.place();
  const other = await newSigner();
  const mallory = await TestPerson.named("mallory");
  await directory.apply(await mallory.create());
  const good = await owner.allows(bob.place(), invite);
  const words = [
    await mallory.allows(bob.place(), invite),
    await bob.allows(bob.place(), invite),
    await owner.allows(mallory.place(), invite),
    await owner.allows(bob.place(), other),
    { ...good, expires: 1 },
    { ...good, device: mallory.first.id },
    await owner.allows(bob.place(), invite, 1),
  ];
  for (const word of words) {
    await refuses(directory, await bob.reset(fresh, invite, word), "SIGNATURE");
    bob.back(place);
  }
  await directory.apply(await bob.reset(fresh, invite, good));
});

test("the word of a revoked device, or of the owner's paper, is none", async () => {
  const { directory, owner, bob, fresh, invite } = await lost();
  const place = bob.place();
  const [phone, paper] = [await newDevice(), await newDevice()];
  await directory.apply(await owner.add(phone));
  await directory.apply(await owner.recovery(paper));
  await directory.apply(await owner.revoke(phone.id));
  for (const by of [phone, paper]) {
    const word = await owner.allows(bob.place(), invite, 0, by);
    await refuses(directory, await bob.reset(fresh, invite, word), "SIGNATURE");
    bob.back(place);
  }
});

test("the owner's own identity does not begin anew: a thief of one device of theirs would take everything", async () => {
  const { directory, owner, fresh, invite } = await lost();
  const word = await owner.allows(owner.place(), invite);
  await refuses(directory, await owner.reset(fresh, invite, word), "SIGNATURE");
});

test("one word is good for one beginning", async () => {
  const { directory, owner, bob, fresh, invite } = await lost();
  const word = await owner.allows(bob.place(), invite);
  await directory.apply(await bob.reset(fresh, invite, word));
  await refuses(directory, await bob.reset(await newDevice(), invite, word), "SIGNATURE");
});

test("a word that was held back is void by whatever its user has done since", async () => {
  const changes = ["device", "paper", "nothing"] as const;
  for (const change of changes) {
    const { directory, owner, bob, fresh, invite } = await lost();
    const word = await owner.allows(bob.place(), invite, iat + 1);
    if (change === "device") await directory.apply(await bob.add(await newDevice()));
    if (change === "paper") await directory.apply(await bob.recovery(await newDevice()));
    // At its right place in the chain, and made, as it says, before the word expired.
    const record = await bob.reset(fresh, invite, word);
    if (change === "nothing") await directory.apply(record);
    else await refuses(directory, record, "SIGNATURE");
  }
});

test("the new device signs for itself, holds the invite, and continues the chain", async () => {
  const { directory, owner, bob, fresh, invite } = await lost();
  const place = bob.place();
  const word = await owner.allows(bob.place(), invite);
  const good = await bob.reset(fresh, invite, word);
  const { header, payload } = readJws(good);
  const by = (kid: TestDevice) => signJws({ ...header, kid: kid.id }, payload, kid.signer);
  await refuses(directory, await by(bob.first), "SIGNATURE");
  await refuses(directory, await signJws(header, payload, bob.first.signer), "SIGNATURE");
  for (const wrong of [{ seq: 2 }, { prev: "00".repeat(32) }])
    await refuses(
      directory,
      await signJws(header, { ...payload, ...wrong }, fresh.signer),
      "CHAIN",
    );
  bob.back(place);
  const { header: otherHeader, payload: otherPayload } = readJws(
    await bob.reset(fresh, await newSigner(), word),
  );
  const stolen = {
    ...otherPayload,
    invite: { ...(payload["invite"] as object), proof: "A".repeat(86) },
  };
  await refuses(directory, await signJws(otherHeader, stolen, fresh.signer), "SIGNATURE");
  bob.back(place);
  await refuses(
    directory,
    await bob.reset(
      { ...fresh, id: bob.first.id, description: { ...fresh.description, id: bob.first.id } },
      invite,
      word,
    ),
    "CHAIN",
  );
  await directory.apply(good);
});

test("what a record changed, and who signed it, is told", async () => {
  const directory = new Directory();
  const alice = await TestPerson.named("alice");
  const [phone, paper] = [await newDevice(), await newDevice()];
  const { user, first } = alice;
  const byFirst = { kind: "device", device: first.id };
  const told = [];
  for (const record of [
    await alice.create(),
    await alice.add(phone),
    await alice.recovery(paper, phone),
    await alice.revoke(first.id, paper),
  ])
    told.push(await directory.apply(record));
  expect(told).toEqual([
    { user, change: "user-created", device: first.id, revoked: [], by: byFirst, index: 0 },
    { user, change: "device-added", device: phone.id, revoked: [], by: byFirst, index: 1 },
    {
      user,
      change: "recovery-set",
      device: paper.id,
      revoked: [],
      by: { kind: "device", device: phone.id },
      index: 2,
    },
    {
      user,
      change: "device-revoked",
      device: first.id,
      revoked: [first.id],
      by: { kind: "recovery", device: paper.id },
      index: 3,
    },
  ]);
});
