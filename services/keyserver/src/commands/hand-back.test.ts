import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInProcessBus } from "@sotto/bus/in-process";
import type { DirectoryStore } from "@sotto/directory";
import { checkpointNote, checkpointOrigin, sha256, signCheckpoint } from "@sotto/identity";
import { EnvelopeKind, ErrorCode, limits, toHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newDevice, newSigner, randomBytes } from "../../../../libs/identity/test/person.ts";
import {
  type KeyserverWorld,
  ownedWorld,
  refusedWith,
  type TestReplica,
  withMethods,
} from "../../test/keyserver-world.ts";
import { ServedRoom } from "../../test/test-room.ts";

const getCheckpoint = { case: "getCheckpoint" as const, value: {} };
const submit = (record: Uint8Array) => ({ case: "submitRecord" as const, value: { record } });
const readOnly = refusedWith(ErrorCode.READ_ONLY);

/** What clients hold of a server that then comes back from a backup: its last note, and all records. */
async function livedWorld(options: { readonly signed?: boolean } = {}) {
  const { world, server, alice } = await ownedWorld();
  const bob = await world.join(server, alice, "bob");
  const invite = await world.invite(server, alice, { uses: 9 });
  const carol = await world.arrive(server, "carol", invite);
  const phone = await newDevice();
  await server.ask(carol, submit(await carol.add(phone)), "recordStored");
  await server.ask(carol, submit(await carol.revoke(phone.id)), "recordStored");
  const records = (await world.store.read(0, 100)).map(({ bytes }) => bytes);
  const { note } =
    options.signed === false
      ? { note: await noteOf(world, records.length, await rootOf(server)) }
      : await server.ask(alice, getCheckpoint, "signedCheckpoint");
  await server.service[Symbol.asyncDispose]();
  return { world, alice, bob, carol, phone, records, note };
}

async function rootOf(server: TestReplica): Promise<Uint8Array> {
  return (await server.service.operator.status()).directory.root;
}

async function noteOf(world: KeyserverWorld, size: number, root: Uint8Array) {
  const { identityKey, logKey } = await world.keys();
  const origin = checkpointOrigin(await sha256(identityKey.publicKey));
  const signed = await signCheckpoint({ size, root }, origin, logKey);
  return await checkpointNote(signed, origin, logKey.publicKey);
}

const client = randomBytes(16);

/** Hands records back as a stranger does. Answers where to go on. */
async function handBack(
  server: TestReplica,
  note: Uint8Array,
  from: number,
  records: readonly Uint8Array[],
  contribution: Uint8Array = client,
): Promise<number> {
  const value = { note, from: BigInt(from), records: [...records], contribution };
  const answer = await server.ask(undefined, { case: "handBackRecords", value }, "handedBack");
  return Number(answer.next);
}

const startOn = (world: KeyserverWorld, store: DirectoryStore) => world.start({ store });

test("an older copy is read-only until its records were handed back, and then goes on", async () => {
  const { world, alice, bob, carol, phone, records, note } = await livedWorld();
  const store = await world.olderCopy(2);
  const server = await startOn(world, store);
  expect(server.service.ready()).toBe(true);
  const signed = await server.ask(alice, getCheckpoint, "signedCheckpoint");
  expect(signed.behind).toBe(true);
  expect(await server.metric("directory_behind")).toBe(1);
  const page = await server.ask(
    alice,
    { case: "readDirectory", value: { from: 0n, limit: 0 } },
    "directoryPage",
  );
  expect(page).toMatchObject({ size: 2n, checkpoint: { behind: true } });
  await expect(world.invite(server, alice)).rejects.toMatchObject(readOnly);
  const device = await newDevice();
  await expect(
    server.ask(bob, submit(await bob.add(device)), "recordStored"),
  ).rejects.toMatchObject(readOnly);
  expect(await handBack(server, note, 2, records.slice(2, 3))).toBe(3);
  expect(await store.size()).toBe(2);
  expect(await handBack(server, note, 3, records.slice(3))).toBe(5);
  expect((await store.read(0, 10)).map(({ bytes }) => bytes)).toEqual(records);
  expect(await handBack(server, note, 2, records.slice(2))).toBe(5);
  const mended = await server.ask(carol, getCheckpoint, "signedCheckpoint");
  expect(mended).toMatchObject({ behind: false, note });
  expect(await server.metric("directory_behind")).toBe(0);
  const asPhone = { user: carol.user, first: phone };
  await expect(server.ask(asPhone, getCheckpoint, "signedCheckpoint")).rejects.toMatchObject(
    refusedWith(ErrorCode.DEVICE_REVOKED),
  );
  await world.join(server, carol, "dave");
  await expect(
    world.arrive(server, "carol", await world.invite(server, alice)),
  ).rejects.toMatchObject(refusedWith(ErrorCode.NAME_TAKEN));
});

test("rooms go on meanwhile, as far as the directory of the copy reaches", async () => {
  const { world, alice, bob } = await livedWorld();
  const server = await startOn(world, await world.olderCopy(2));
  const room = await ServedRoom.begun(server, alice, bob);
  const change = { kind: EnvelopeKind.UPDATE, by: bob, directorySize: 5 };
  await expect(room.commit(server, change)).rejects.toMatchObject(readOnly);
  await room.commit(server, { ...change, directorySize: 2 });
});

test("a server that forgot what it signed learns it from a client, on every replica and for good", async () => {
  const { world, alice, records, note } = await livedWorld({ signed: false });
  const store = await world.olderCopy(2);
  const bus = createInProcessBus();
  const [one, other] = [await world.start({ store, bus }), await world.start({ store, bus })];
  expect(await one.ask(alice, getCheckpoint, "signedCheckpoint")).toMatchObject({ behind: false });
  expect(await handBack(one, note, 2, [])).toBe(2);
  for (const replica of [one, other, await world.start({ store })])
    await expect(world.invite(replica, alice)).rejects.toMatchObject(readOnly);
  expect(await handBack(one, note, 2, records.slice(2))).toBe(5);
  for (const replica of [one, other]) await world.invite(replica, alice);
});

test("parts may come to any replica", async () => {
  const { world, alice, records, note } = await livedWorld();
  const store = await world.olderCopy(1);
  const bus = createInProcessBus();
  const replicas = [await world.start({ store, bus }), await world.start({ store, bus })];
  for (let at = 1, turn = 0; at < records.length; turn++) {
    const replica = replicas[turn % 2] as TestReplica;
    const next = await handBack(replica, note, at, records.slice(at, at + 1));
    expect(next).toBe(at + 1);
    at = next;
    // The other one hears it by a hint.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(await store.size()).toBe(records.length);
  for (const replica of replicas) await world.invite(replica, alice);
});

test("both replicas that store the same records at once end with each of them once", async () => {
  const { world, records, note } = await livedWorld();
  const store = await world.olderCopy(1);
  const replicas = [await world.start({ store }), await world.start({ store })];
  const next = await Promise.all(replicas.map((one) => handBack(one, note, 1, records.slice(1))));
  expect(next).toEqual([5, 5]);
  expect((await store.read(0, 10)).map(({ bytes }) => bytes)).toEqual(records);
});

test("nothing is stored for a note that is not the server's, nor records that do not lead to it", async () => {
  const { world, alice, bob, records, note } = await livedWorld();
  const store = await world.olderCopy(2);
  const server = await startOn(world, store);
  const badSignature = refusedWith(ErrorCode.BAD_SIGNATURE);
  for (let at = 0; at < note.length; at += 7) {
    const altered = Uint8Array.from(note, (byte, place) => byte ^ (place === at ? 1 : 0));
    await expect(handBack(server, altered, 2, records.slice(2))).rejects.toMatchObject(
      badSignature,
    );
  }
  const noise = new Uint8Array(100).fill(7);
  await expect(handBack(server, note, 2, [noise])).rejects.toMatchObject(
    refusedWith(ErrorCode.BAD_RECORD),
  );
  await expect(handBack(server, note, 1, [noise])).rejects.toMatchObject(
    refusedWith(ErrorCode.CHAIN_CONFLICT),
  );
  // A good record that never stood there, and the right ones after it.
  const other = await bob.add(await newDevice());
  expect(await handBack(server, note, 2, [other])).toBe(3);
  expect(await handBack(server, note, 2, records.slice(2, 4))).toBe(4);
  // One that lies beyond what is held is not looked at.
  expect(await handBack(server, note, 5, [noise])).toBe(4);
  expect(await store.size()).toBe(2);
  await expect(world.invite(server, alice)).rejects.toMatchObject(readOnly);
  expect(await handBack(server, note, 4, records.slice(4))).toBe(5);
});

test("good records that lead to another root are dropped together", async () => {
  const { world, bob, records, note } = await livedWorld();
  const store = await world.olderCopy(2);
  const server = await startOn(world, store);
  const others = [
    await bob.add(await newDevice()),
    await bob.add(await newDevice()),
    await bob.add(await newDevice()),
  ];
  expect(await handBack(server, note, 2, others)).toBe(2);
  expect(await store.size()).toBe(2);
  expect(await handBack(server, note, 2, records.slice(2))).toBe(5);
});

test("a server that lost even its owner to a backup is nobody else's", async () => {
  const { world, alice, records, note } = await livedWorld();
  const server = await startOn(world, await world.olderCopy(0));
  expect(await server.service.ownerInvite()).toBeUndefined();
  await expect(server.service.operator.ownerInvite()).rejects.toMatchObject({ code: "BEHIND" });
  expect(await handBack(server, note, 0, records)).toBe(5);
  expect(await server.service.ownerInvite()).toBeUndefined();
  await world.invite(server, alice);
});

test("what is held is bounded", async () => {
  const { world, records, note } = await livedWorld();
  const store = await world.olderCopy(1);
  const server = await world.start({ store, limits: { handedBackRecordsMax: 2 } });
  await expect(handBack(server, note, 1, records.slice(1))).rejects.toMatchObject(
    refusedWith(ErrorCode.TOO_LARGE),
  );
  const large = new Uint8Array(limits.directoryPageBytesMax + 1);
  await expect(handBack(server, note, 1, [large])).rejects.toMatchObject(
    refusedWith(ErrorCode.TOO_LARGE),
  );
});

test("a store that fails in between goes on where it was", async () => {
  const { world, records, note } = await livedWorld();
  const older = await world.olderCopy(1);
  let appends = 0;
  const store = withMethods(older, {
    append: (record) =>
      ++appends === 3 ? Promise.reject(new Error("the disk is gone")) : older.append(record),
  });
  const server = await startOn(world, store);
  await expect(handBack(server, note, 1, records.slice(1))).rejects.toMatchObject(
    refusedWith(ErrorCode.INTERNAL),
  );
  expect(await older.size()).toBe(3);
  expect(await handBack(server, note, 1, records.slice(1))).toBe(5);
  expect((await older.read(0, 10)).map(({ bytes }) => bytes)).toEqual(records);
});

/** Writes the mark of a backup. */
const mark = (world: KeyserverWorld, text = "") =>
  writeFile(join(world.identityFolder, "restored"), text);

test("a copy whose mark says nothing is read-only until the operator takes the mark away", async () => {
  const { world, alice, records, note } = await livedWorld();
  await mark(world);
  const server = await startOn(world, await world.olderCopy(5));
  await expect(world.invite(server, alice)).rejects.toMatchObject(readOnly);
  const older = await noteOf(world, 1, await sha256(new Uint8Array()));
  await expect(handBack(server, older, 0, [])).rejects.toMatchObject(
    refusedWith(ErrorCode.CHAIN_CONFLICT),
  );
  // As large as the copy, and signed: it was so when the copy was made, and says nothing of later.
  expect(await handBack(server, note, 5, [])).toBe(5);
  await expect(world.invite(server, alice)).rejects.toMatchObject(readOnly);
  await rm(join(world.identityFolder, "restored"));
  await world.invite(server, alice);

  await mark(world);
  const again = await startOn(world, await world.olderCopy(3));
  expect(await handBack(again, note, 3, records.slice(3))).toBe(5);
  await expect(world.invite(again, alice)).rejects.toMatchObject(readOnly);
});

test("a mark that says what stood before ends when all of that stands again, and not sooner", async () => {
  const { world, server, alice } = await ownedWorld();
  const notes: Uint8Array[] = [];
  const roots: string[] = [];
  for (const name of ["bob", "carol", "dave"]) {
    await world.join(server, alice, name);
    notes.push((await server.ask(alice, getCheckpoint, "signedCheckpoint")).note);
    roots.push(toHex(await rootOf(server)));
  }
  await server.service[Symbol.asyncDispose]();
  const records = (await world.store.read(0, 100)).map(({ bytes }) => bytes);
  // What was signed went with the disk, too.
  await rm(join(world.identityFolder, "log.state"), { recursive: true });
  await mark(world, `4 ${roots[2]}\n`);
  const copy = await startOn(world, await world.olderCopy(2));
  const [two, three, four] = notes as [Uint8Array, Uint8Array, Uint8Array];
  const status = async () => (await copy.service.operator.status()).directory;
  expect(await status()).toMatchObject({ behind: true, signed: 4 });
  expect(await handBack(copy, two, 2, [])).toBe(2);
  expect(await handBack(copy, three, 2, records.slice(2, 3))).toBe(3);
  expect(await status()).toMatchObject({ size: 3, behind: true, signed: 4 });
  await expect(world.invite(copy, alice)).rejects.toMatchObject(readOnly);
  expect(await handBack(copy, four, 3, records.slice(3))).toBe(4);
  await world.invite(copy, alice);
  await expect(stat(join(world.identityFolder, "restored"))).rejects.toThrow("ENOENT");

  await copy.service[Symbol.asyncDispose]();
  await mark(world, `3 ${roots[2]}`);
  await expect(startOn(world, await world.olderCopy(4))).rejects.toMatchObject({
    code: "CORRUPT",
    message: expect.stringContaining("the file is wrong"),
  });
});

test("what a stranger hands back, also under the server's own note, is in nobody's way", async () => {
  const { world, bob, alice, records, note } = await livedWorld();
  const server = await startOn(world, await world.olderCopy(2));
  expect(await handBack(server, note, 2, records.slice(2, 4))).toBe(4);
  // Good records that never stood there: nothing but the root at the end tells which are the right ones.
  const other = await bob.add(await newDevice());
  expect(await handBack(server, note, 2, [other], randomBytes(16))).toBe(3);
  expect(await handBack(server, note, 4, records.slice(4))).toBe(5);
  await world.invite(server, alice);
  const nameless = handBack(server, note, 5, [], new Uint8Array());
  await expect(nameless).rejects.toMatchObject(refusedWith(ErrorCode.BAD_REQUEST));
});

test("so many are held at once, and whoever goes on is not the one who goes", async () => {
  const { world, bob, records, note } = await livedWorld();
  const server = await startOn(world, await world.olderCopy(2));
  const other = await bob.add(await newDevice());
  const early = randomBytes(16);
  expect(await handBack(server, note, 2, [other], early)).toBe(3);
  for (let at = 2; at < 4; at++) {
    expect(await handBack(server, note, at, [records[at] as Uint8Array])).toBe(at + 1);
    for (let stranger = 0; stranger < 15; stranger++)
      await handBack(server, note, 2, [other], randomBytes(16));
  }
  expect(await handBack(server, note, 4, [])).toBe(4);
  // The one from the beginning has to begin anew.
  expect(await handBack(server, note, 3, [other], early)).toBe(2);
  expect(await handBack(server, note, 4, records.slice(4))).toBe(5);
});

test("somebody else's signature over this server's name is none", async () => {
  const { world, records } = await livedWorld();
  const server = await startOn(world, await world.olderCopy(2));
  const { identityKey } = await world.keys();
  const thief = await newSigner();
  const origin = checkpointOrigin(await sha256(identityKey.publicKey));
  const signed = await signCheckpoint({ size: 9, root: new Uint8Array(32) }, origin, thief);
  const note = await checkpointNote(signed, origin, thief.publicKey);
  await expect(handBack(server, note, 2, records.slice(2))).rejects.toMatchObject(
    refusedWith(ErrorCode.BAD_SIGNATURE),
  );
});
