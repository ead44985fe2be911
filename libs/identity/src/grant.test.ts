import { parseRoomId } from "@sotto/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { iat, newDevice, newSigner, randomBytes, TestPerson } from "../test/person.ts";
import { Directory } from "./directory.ts";
import { signerFromSeed } from "./ed25519.ts";
import {
  arrivalProof,
  arrivedWith,
  createGrant,
  decodeGrant,
  openGrant,
  type RoomGrant,
  verifyArrival,
  verifyGrant,
} from "./grant.ts";
import { inviteKeys } from "./invite-keys.ts";

const room = parseRoomId(randomBytes(16));

async function world() {
  const directory = new Directory();
  const [alice, mallory] = [await TestPerson.named("alice"), await TestPerson.named("mallory")];
  for (const person of [alice, mallory]) await directory.apply(await person.create());
  const { serverToken, inviteKey } = await inviteKeys(randomBytes(32));
  const grant: RoomGrant = {
    inviter: { user: alice.user, device: alice.first.id },
    inviteKey: inviteKey.publicKey,
    rooms: [room],
    expiresAt: iat + 1000,
  };
  return { directory, alice, mallory, serverToken, inviteKey, grant };
}

test("a grant that its inviter signed says what it grants", async () => {
  const { directory, alice, grant } = await world();
  const bytes = await createGrant(grant, alice.first.signer);
  expect(decodeGrant(bytes)).toEqual(grant);
  expect(await openGrant(bytes, directory)).toEqual(grant);
});

test("a grant by a device of one's own that names somebody else as the inviter is none", async () => {
  const { directory, alice, mallory, grant } = await world();
  const bytes = await createGrant(
    { ...grant, inviter: { user: alice.user, device: mallory.first.id } },
    mallory.first.signer,
  );
  expect(await openGrant(bytes, directory)).toBeUndefined();
});

test("a grant with another's key, of an unknown or revoked device, or altered, is none", async () => {
  const { directory, alice, mallory, grant } = await world();
  expect(
    await openGrant(await createGrant(grant, mallory.first.signer), directory),
  ).toBeUndefined();
  const unknown = { ...grant, inviter: { user: alice.user, device: (await newDevice()).id } };
  expect(
    await openGrant(await createGrant(unknown, alice.first.signer), directory),
  ).toBeUndefined();
  const bytes = await createGrant(grant, alice.first.signer);
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: bytes.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, flip) => {
        const bad = bytes.slice();
        bad[at] = (bad[at] ?? 0) ^ flip;
        expect(await openGrant(bad, directory)).toBeUndefined();
      },
    ),
  );
  const phone = await newDevice();
  await directory.apply(await alice.add(phone));
  await directory.apply(await alice.revoke(alice.first.id, phone));
  expect(await openGrant(bytes, directory)).toBeUndefined();
});

test("a grant has one spelling", async () => {
  const { directory, alice, grant } = await world();
  const bytes = await createGrant(grant, alice.first.signer);
  const wrongWireType = bytes.slice();
  wrongWireType[0] = (wrongWireType[0] ?? 0) ^ 1;
  for (const bad of [wrongWireType, Uint8Array.from([...bytes, 0x7a, 1, 7])])
    expect(await openGrant(bad, directory)).toBeUndefined();
});

test("whatever the bytes are, reading a grant answers it or nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 120 }), async (bytes) => {
      expect(decodeGrant(bytes)).toBeUndefined();
      expect(await verifyGrant(bytes, () => randomBytes(32))).toBeUndefined();
    }),
  );
});

test("whoever holds the invite arrives with its grant, before it expires", async () => {
  const { directory, inviteKey, grant } = await world();
  const bob = await TestPerson.named("bob", inviteKey);
  await directory.apply(await bob.create());
  const person = directory.user(bob.user);
  if (!person) throw new Error("bob is not there");
  expect(arrivedWith(person, person.createdAt, grant)).toBe(true);
  expect(arrivedWith(person, iat + 1000, grant)).toBe(true);
  expect(arrivedWith(person, iat + 1001, grant)).toBe(false);
  expect(arrivedWith(person, iat + 1001, { ...grant, expiresAt: 0 })).toBe(true);
  const other = await inviteKeys(randomBytes(32));
  expect(arrivedWith(person, iat, { ...grant, inviteKey: other.inviteKey.publicKey })).toBe(false);
});

test("a server that knows only its half of the invite forges no arrival", async () => {
  const { directory, serverToken, inviteKey, grant } = await world();
  const guesses = [
    await signerFromSeed(serverToken),
    (await inviteKeys(serverToken)).inviteKey,
    await newSigner(),
  ];
  for (const [at, guess] of guesses.entries()) {
    const own = await TestPerson.named(`own-${at}`, guess);
    await directory.apply(await own.create());
    const person = directory.user(own.user);
    expect(person && arrivedWith(person, iat, grant)).toBe(false);
    const claim = { publicKey: inviteKey.publicKey, sign: guess.sign };
    const claimed = await TestPerson.named(`claimed-${at}`, claim);
    await expect(directory.apply(await claimed.create())).rejects.toMatchObject({
      code: "SIGNATURE",
    });
  }
});

test("a proof of arrival is for one user, device and pair of keys", async () => {
  const { inviteKey } = await world();
  const [bob, eve] = [await TestPerson.named("bob"), await TestPerson.named("eve")];
  const { sign, mls } = bob.first.description;
  const newcomer = { user: bob.user, device: bob.first.id, sign, mls };
  const proof = await arrivalProof(inviteKey, newcomer);
  expect(await verifyArrival(inviteKey.publicKey, newcomer, proof)).toBe(true);
  const others = [
    { ...newcomer, user: eve.user },
    { ...newcomer, device: eve.first.id },
    { ...newcomer, sign: eve.first.description.sign },
    { ...newcomer, mls: eve.first.description.mls },
    { ...newcomer, sign: mls, mls: sign },
    { ...newcomer, sign: sign.slice(1) },
  ];
  for (const other of others)
    expect(await verifyArrival(inviteKey.publicKey, other, proof)).toBe(false);
  expect(await verifyArrival(eve.invite.publicKey, newcomer, proof)).toBe(false);
});
