import { fromBinary } from "@bufbuild/protobuf";
import { verifyEd25519 } from "@sotto/identity";
import {
  CertifyRequestSchema,
  CertifyResponseSchema,
  ConfirmRequestSchema,
  ConfirmResponseSchema,
  DeviceRequestSchema,
  DeviceResponseSchema,
  DirectoryHintSchema,
  type RosterChange,
  RosterRequestSchema,
  RosterResponseSchema,
  subjects,
} from "@sotto/interservice";
import { certificateInput, EnvelopeKind, ErrorCode, fromHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newDevice, randomBytes } from "../../../libs/identity/test/person.ts";
import { ownedWorld, refusedWith, type TestReplica, withMethods } from "../test/keyserver-world.ts";
import { leaf, ServedRoom } from "../test/test-room.ts";
import { keyserverLimits } from "./keyserver-limits.ts";

const dayMs = 24 * 3600 * 1000;

function device(server: TestReplica, id: string) {
  const request = { device: fromHex(id) };
  return server.call(subjects.keyserverDevice, DeviceRequestSchema, DeviceResponseSchema, request);
}

/** An edge that asks again and again what changed. */
class AskingEdge {
  #incarnation = new Uint8Array() as Uint8Array;
  #cursor = 0n;
  #directorySize = 0n;

  async ask(server: TestReplica) {
    const answer = await server.call(
      subjects.keyserverConfirm,
      ConfirmRequestSchema,
      ConfirmResponseSchema,
      {
        incarnation: this.#incarnation,
        cursor: this.#cursor,
        directorySize: this.#directorySize,
      },
    );
    this.#incarnation = answer.incarnation;
    this.#cursor = answer.cursor;
    this.#directorySize = answer.directorySize;
    return answer;
  }
}

const changeOf = ({ room, handshake, users }: RosterChange) => ({ room, handshake, users });

test("a certificate's key is vouched for with the server identity key, for a week", async () => {
  const { world, server } = await ownedWorld();
  const spkiSha256 = randomBytes(32);
  const certify = (request: { spkiSha256: Uint8Array }) =>
    server.call(subjects.keyserverCertify, CertifyRequestSchema, CertifyResponseSchema, request);
  const { serverKey, proof } = await certify({ spkiSha256 });
  const { identityKey } = await world.keys();
  expect(serverKey).toEqual(identityKey.publicKey);
  const now = world.clock.now();
  expect(proof).toMatchObject({
    spkiSha256,
    notBeforeMs: BigInt(now - dayMs),
    notAfterMs: BigInt(now + 7 * dayMs),
  });
  const [notBeforeMs, notAfterMs] = [now - dayMs, now + 7 * dayMs];
  const input = certificateInput({ spkiSha256, notBeforeMs, notAfterMs });
  const signature = proof?.signature ?? new Uint8Array();
  expect(await verifyEd25519(serverKey, input, signature)).toBe(true);
  await expect(certify({ spkiSha256: randomBytes(31) })).rejects.toMatchObject(
    refusedWith(ErrorCode.BAD_REQUEST),
  );
});

test("who logs in is told with the login's key and what is left of its packages", async () => {
  const { server, alice } = await ownedWorld();
  const value = { oneTime: [randomBytes(9), randomBytes(9)], lastResort: randomBytes(9) };
  await server.ask(alice, { case: "publishKeyPackages", value }, "keyPackageCount");
  expect(await device(server, alice.first.id)).toMatchObject({
    known: true,
    user: fromHex(alice.user),
    authKey: alice.first.description.auth,
    revoked: false,
    directorySize: 1n,
    keyPackagesLeft: 2,
  });
  expect(await device(server, (await newDevice()).id)).toMatchObject({ known: false });
});

test("every replica sees a revocation at the next login, though it heard of none", async () => {
  const { world, server, alice } = await ownedWorld();
  const other = await world.start();
  const phone = await newDevice();
  const submit = async (record: Uint8Array) =>
    server.ask(alice, { case: "submitRecord", value: { record } }, "recordStored");
  await submit(await alice.add(phone));
  expect(await device(other, phone.id)).toMatchObject({ known: true, revoked: false });
  await submit(await alice.revoke(phone.id));
  expect(await device(other, phone.id)).toMatchObject({ known: true, revoked: true });
});

test("an edge hears every roster change once, and every revocation since it asked last", async () => {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const edge = new AskingEdge();
  expect(await edge.ask(server)).toMatchObject({ reset: true, changes: [], directorySize: 2n });
  const room = await ServedRoom.begun(server, alice);
  const added = await room.commit(server, {
    kind: EnvelopeKind.ADD,
    by: alice,
    added: [leaf(bob)],
  });
  const phone = await newDevice();
  for (const record of [await alice.add(phone), await alice.revoke(phone.id)])
    await server.ask(alice, { case: "submitRecord", value: { record } }, "recordStored");
  const answer = await edge.ask(server);
  expect(answer.reset).toBe(false);
  expect(answer.changes.map(changeOf)).toEqual([
    { room: fromHex(room.room), handshake: expect.any(BigInt), users: [fromHex(alice.user)] },
    { room: fromHex(room.room), handshake: BigInt(added), users: [fromHex(bob.user)] },
  ]);
  expect(answer.revokedDevices).toEqual([fromHex(phone.id)]);
  expect(await edge.ask(server)).toMatchObject({ reset: false, changes: [], revokedDevices: [] });
});

test("an edge that asks another replica, or after a restart, is told to load its rooms anew", async () => {
  const { world, server } = await ownedWorld();
  const edge = new AskingEdge();
  await edge.ask(server);
  const other = await world.start();
  expect(await edge.ask(other)).toMatchObject({ reset: true });
  expect(await edge.ask(other)).toMatchObject({ reset: false });
  expect(await edge.ask(server)).toMatchObject({ reset: true });
});

test("an edge that is further behind than what is kept is told so", async () => {
  const { server, alice } = await ownedWorld({ changesKeptMax: 2 });
  const edge = new AskingEdge();
  await edge.ask(server);
  for (let i = 0; i < 2; i++) await ServedRoom.begun(server, alice);
  expect(await edge.ask(server)).toMatchObject({ reset: false, changes: [{}, {}] });
  for (let i = 0; i < 3; i++) await ServedRoom.begun(server, alice);
  expect(await edge.ask(server)).toMatchObject({ reset: true, changes: [] });
});

test("a room's roster is told to edges, and that there is none", async () => {
  const { server, alice } = await ownedWorld();
  const room = await ServedRoom.begun(server, alice);
  const ask = (id: Uint8Array) =>
    server.call(subjects.keyserverRoster, RosterRequestSchema, RosterResponseSchema, { room: id });
  const { roster } = await ask(fromHex(room.room));
  expect(roster).toEqual(await room.rosterSeenBy(server, alice));
  expect((await ask(randomBytes(16))).roster).toBeUndefined();
});

test("an altered store is found while nobody reads it, and edges are told", async () => {
  const { world, alice, server: first } = await ownedWorld();
  await world.join(first, alice, "bob");
  let altered = -1;
  const store = withMethods(world.store, {
    async read(from, limit) {
      const page = await world.store.read(from, limit);
      return page.map(({ index, bytes }) => ({
        index,
        bytes: index === altered ? bytes.map((byte, at) => byte ^ (at === 9 ? 1 : 0)) : bytes,
      }));
    },
  });
  // One record at a time: it goes round and round.
  const server = await world.start({ store, limits: { storeCheckRecords: 1 } });
  const edge = new AskingEdge();
  const hints: boolean[] = [];
  await server.bus.subscribe(subjects.hintDirectory, ({ data }) => {
    hints.push(fromBinary(DirectoryHintSchema, data).altered);
  });
  const look = async () => {
    await world.clock.advance(keyserverLimits.storeCheckMs);
    return (await edge.ask(server)).altered;
  };
  for (let round = 0; round < 5; round++) expect(await look()).toBe(false);
  altered = 0;
  for (let round = 0; round < 4 && !(await look()); round++);
  expect((await edge.ask(server)).altered).toBe(true);
  await expect.poll(() => hints).toEqual([true]);
  expect(await server.metric("directory_altered")).toBe(1);
});
